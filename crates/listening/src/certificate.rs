//! A listener's certificate and key in their files: which pair is in use, what a look at the files finds, and when the certificate
//! ends. A pair that is not fit changes nothing.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_parser::parse_x509_certificate;

/// Where certificate and key are, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and after it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate in its file.
    #[error("{} holds no certificate. It must be a PEM file: -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in its file.
    #[error("{} holds no private key that can be used. It must be a PEM file, not encrypted: -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    /// They do not belong together, or TLS can do nothing with them.
    #[error("{} and {} cannot be used together: {source}", files.certificate.display(), files.key.display())]
    Unfit {
        /// Which.
        files: TlsFiles,
        /// Why.
        source: rustls::Error,
    },
}

/// The certificate in use, with what its files held.
pub(crate) struct Certificate {
    files: TlsFiles,
    in_use: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

/// What was found at the last look.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of both files, where they could be read.
    contents: Option<u64>,
    /// Why the pair there is not in use.
    trouble: Option<String>,
}

/// What a look finds that was not told before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Another certificate is in use.
    Replaced,
    /// The pair there cannot be used, for another cause than at the look before.
    Trouble(String),
    /// The pair there is the one in use, and can be used again.
    WellAgain,
}

impl Certificate {
    /// What the files hold now.
    pub(crate) fn read(files: TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let in_use = Contents::of(&files)?.certified(&files, &provider)?;
        Ok(Self {
            files,
            in_use: ArcSwap::from_pointee(in_use),
            provider,
        })
    }

    pub(crate) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Until when the certificate in use is valid.
    pub(crate) fn not_after(&self) -> Option<DateTime<Utc>> {
        let in_use = self.in_use.load();
        let (_, certificate) = parse_x509_certificate(in_use.cert.first()?).ok()?;
        DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
    }

    /// Takes what the files hold, unless it is what was looked at before.
    pub(crate) fn look(&self, seen: &mut Seen) -> Option<News> {
        let contents = Contents::of(&self.files);
        let hash = contents.as_ref().ok().map(Contents::hash);
        if hash.is_some() && hash == seen.contents {
            return None;
        }
        seen.contents = hash;
        match contents.and_then(|contents| contents.certified(&self.files, &self.provider)) {
            Ok(new) => {
                let is_new = self.in_use.load().cert != new.cert;
                self.in_use.store(Arc::new(new));
                let trouble = seen.trouble.take();
                if is_new {
                    return Some(News::Replaced);
                }
                trouble.map(|_| News::WellAgain)
            }
            Err(error) => {
                let trouble = error.to_string();
                let before = seen.trouble.replace(trouble.clone());
                (before.as_ref() != Some(&trouble)).then_some(News::Trouble(trouble))
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.in_use.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.files).finish()
    }
}

/// What both files hold.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn of(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
        })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish()
    }

    fn certified(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let no_certificate = |_: pem::Error| TlsError::NoCertificate(files.certificate.clone());
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(no_certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(files.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::NoKey(files.key.clone()))?;
        // It is compared with the certificate.
        CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Unfit {
            files: files.clone(),
            source,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::crypto::aws_lc_rs;
    use tempfile::TempDir;

    use super::*;

    /// A certificate that is valid until the end of 2030, and its key.
    pub(crate) fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["desk.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2030, 12, 31);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn files(folder: &TempDir, (certificate, key): (&str, &str)) -> TlsFiles {
        let files = TlsFiles {
            certificate: folder.path().join("desk.pem"),
            key: folder.path().join("desk.key"),
        };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files
    }

    fn read(files: TlsFiles) -> Certificate {
        Certificate::read(files, Arc::new(aws_lc_rs::default_provider())).unwrap()
    }

    fn in_use(certificate: &Certificate) -> CertificateDer<'static> {
        certificate.in_use.load().cert[0].clone()
    }

    #[test]
    fn a_new_pair_is_used_and_one_that_is_not_fit_changes_nothing() {
        let folder = TempDir::new().unwrap();
        let (first, second) = (pair(), pair());
        let certificate = read(files(&folder, (&first.0, &first.1)));
        let before = in_use(&certificate);
        let mut seen = Seen::default();
        assert_eq!(certificate.look(&mut seen), None);
        for unfit in [
            (second.0.as_str(), first.1.as_str()),
            (&second.0, "no key"),
            ("no certificate", &second.1),
            ("", ""),
        ] {
            files(&folder, unfit);
            certificate.look(&mut seen);
            assert_eq!(in_use(&certificate), before);
        }
        std::fs::remove_file(folder.path().join("desk.key")).unwrap();
        certificate.look(&mut seen);
        assert_eq!(in_use(&certificate), before);
        files(&folder, (&second.0, &second.1));
        assert_eq!(certificate.look(&mut seen), Some(News::Replaced));
        assert_ne!(in_use(&certificate), before);
    }

    #[test]
    fn each_cause_is_told_once_and_that_it_is_over_too() {
        let folder = TempDir::new().unwrap();
        let (first, second) = (pair(), pair());
        let certificate = read(files(&folder, (&first.0, &first.1)));
        let mut seen = Seen::default();
        let mut look_twice = || {
            let told = certificate.look(&mut seen);
            assert_eq!(certificate.look(&mut seen), None);
            told
        };
        let trouble = |told: Option<News>| match told {
            Some(News::Trouble(words)) => words,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(look_twice(), None);
        let key = folder.path().join("desk.key");
        std::fs::remove_file(&key).unwrap();
        assert!(trouble(look_twice()).contains("desk.key cannot be read"));
        std::fs::write(&key, "no key").unwrap();
        assert!(trouble(look_twice()).contains("holds no private key"));
        std::fs::write(&key, "neither").unwrap();
        assert_eq!(look_twice(), None, "the cause is the same");
        std::fs::write(&key, &second.1).unwrap();
        assert!(trouble(look_twice()).contains("cannot be used together"));
        std::fs::write(&key, &first.1).unwrap();
        assert_eq!(look_twice(), Some(News::WellAgain));
    }

    #[test]
    fn the_end_of_the_certificate_in_use_is_known() {
        let folder = TempDir::new().unwrap();
        let pair = pair();
        let not_after = read(files(&folder, (&pair.0, &pair.1))).not_after();
        assert_eq!(not_after.unwrap().to_rfc3339(), "2030-12-31T00:00:00+00:00");
    }
}
