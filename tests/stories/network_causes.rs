//! Between this computer and Upstox: certificates, an authority of one's own, proxies. Whatever stands in between is told by
//! its cause, nothing is signed in for because of it, and tokens that are stored are served meanwhile.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use vega_tests::{Desk, Upstox};

/// What Upstox is called behind the proxy; the name is nobody's.
const UPSTOX: &str = "api.upstox.example";

/// How the certificate of the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certificate {
    Good,
    Expired,
    NotYet,
    OfAnotherName,
}

/// An authority of one's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its own certificate as a file, for those who trust it.
    fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, self.0.pem())?)
    }

    fn acceptor(&self, certificate: Certificate) -> Result<TlsAcceptor> {
        let names = if certificate == Certificate::OfAnotherName {
            vec!["portal.example".to_owned()]
        } else {
            vec!["localhost".to_owned(), UPSTOX.to_owned()]
        };
        let mut params = CertificateParams::new(names)?;
        (params.not_before, params.not_after) = match certificate {
            Certificate::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Certificate::NotYet => (date_time_ymd(2100, 1, 1), date_time_ymd(2101, 1, 1)),
            Certificate::Good | Certificate::OfAnotherName => {
                (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1))
            }
        };
        let key = KeyPair::generate()?;
        let signed = params.signed_by(&key, &self.0)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Speaks TLS in front of `upstox`.
async fn over_tls(upstox: &Upstox, acceptor: TlsAcceptor) -> Result<SocketAddr> {
    let behind: String = upstox.base_url().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                if let Ok(mut inside) = TcpStream::connect(behind).await {
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    });
    Ok(address)
}

/// A proxy with its counter of ways that were asked for. It leads to `target` alone, whatever name it is asked for, or gives
/// the answer that it is told to.
async fn proxy(target: Result<SocketAddr, &'static str>) -> Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut outside = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && outside.read_line(&mut head).await? > 0 {}
                match target {
                    Err(answer) => outside.write_all(answer.as_bytes()).await?,
                    Ok(target) => {
                        outside.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                        let mut inside = TcpStream::connect(target).await?;
                        copy_bidirectional(&mut outside, &mut inside).await?;
                    }
                }
                // The last words come before the end.
                let _ = outside.get_mut().shutdown().await;
                let _ = outside.read_u8().await;
                Ok::<(), std::io::Error>(())
            });
        }
    });
    Ok((address, asked))
}

/// A desk with one good token, for which Upstox is at `base` from now on.
async fn desk_with_a_token(upstox: &Upstox, base: &str) -> Result<Desk> {
    let mut desk = Desk::new(upstox)?;
    let ran = desk.vega(&["--yes", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    desk.set("VEGA__UPSTOX__API_BASE_URL", base);
    Ok(desk)
}

/// Nobody is told that the token is dead, it is served, and nothing is signed in for.
async fn told(desk: &Desk, upstox: &Upstox, words: &str) -> Result<()> {
    let presses = upstox.count("otp_presses").await?;
    for arguments in [
        &["verify", "PRIMARY"][..],
        &["--yes", "PRIMARY"],
        &["--yes", "WEBSOCKET1"],
    ] {
        let ran = desk.vega(arguments).await?;
        assert!(
            !matches!(ran.code, Some(0 | 101) | None),
            "{arguments:?}: {ran:?}"
        );
        let said = format!("{}{}", ran.stdout, ran.stderr).replace("\n  ", " ");
        assert!(
            said.contains(words),
            "{arguments:?} does not say {words:?}: {ran:?}"
        );
        assert!(!said.contains("CANARY"), "{said}");
        assert!(!said.contains(" ERROR "), "a library's own words: {said}");
    }
    assert_eq!(upstox.count("otp_presses").await?, presses);
    let token = desk.token("PRIMARY").await?;
    assert_eq!(upstox.profile_status(&token).await?, 200);
    Ok(())
}

#[rstest]
#[case::unknown_issuer(
    Certificate::Good,
    Some("Another"),
    "an authority that this computer does not know"
)]
#[case::of_the_same_name(Certificate::Good, Some("Ours"), "and was not signed by that one")]
#[case::expired(Certificate::Expired, None, "its certificate expired at 01 Jan 2021")]
#[case::not_valid_yet(Certificate::NotYet, None, "its certificate is valid from 01 Jan 2100")]
#[case::another_name(Certificate::OfAnotherName, None, "its certificate is for ")]
#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_told_by_its_reason(
    #[case] certificate: Certificate,
    #[case] trusted: Option<&str>,
    #[case] words: &str,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let authority = Authority::new("Ours")?;
    let server = over_tls(&upstox, authority.acceptor(certificate)?).await?;
    let mut desk = desk_with_a_token(&upstox, &format!("https://localhost:{}", server.port())).await?;
    let file = desk.path().join("authority.pem");
    match trusted {
        None => authority.write(&file)?,
        Some(another) => Authority::new(another)?.write(&file)?,
    }
    desk.set("SSL_CERT_FILE", &file.display().to_string());
    told(&desk, &upstox, words).await
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_the_computer_trusts_it() -> Result<()> {
    let upstox = Upstox::start().await?;
    let authority = Authority::new("Ours")?;
    let server = over_tls(&upstox, authority.acceptor(Certificate::Good)?).await?;
    let mut desk = desk_with_a_token(&upstox, &format!("https://localhost:{}", server.port())).await?;
    let file = desk.path().join("authority.pem");
    authority.write(&file)?;
    desk.set("SSL_CERT_FILE", &file.display().to_string());
    // Neither of them is for this computer's own services.
    desk.set("HTTPS_PROXY", "http://127.0.0.1:9");
    desk.set("http_proxy", "http://127.0.0.1:9");
    let ran = desk.vega(&["verify", "PRIMARY"]).await?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    Ok(())
}

#[rstest]
#[case::gone(None)]
#[case::empty(Some(""))]
#[case::no_certificates(Some("there is no certificate in here\n"))]
#[tokio::test]
async fn certificates_that_are_not_there_keep_back_calls_and_nothing_else(
    #[case] content: Option<&str>,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let authority = Authority::new("Ours")?;
    let server = over_tls(&upstox, authority.acceptor(Certificate::Good)?).await?;
    let mut desk = desk_with_a_token(&upstox, &format!("https://localhost:{}", server.port())).await?;
    let file = desk.path().join("authority.pem");
    if let Some(content) = content {
        std::fs::write(&file, content)?;
    }
    desk.set("SSL_CERT_FILE", &file.display().to_string());
    told(&desk, &upstox, "SSL_CERT_FILE").await
}

#[tokio::test]
async fn calls_go_through_a_proxy_that_lets_them_through() -> Result<()> {
    let upstox = Upstox::start().await?;
    let authority = Authority::new("Ours")?;
    let server = over_tls(&upstox, authority.acceptor(Certificate::Good)?).await?;
    let (proxy, asked) = proxy(Ok(server)).await?;
    let mut desk = desk_with_a_token(&upstox, &format!("https://{UPSTOX}")).await?;
    let file = desk.path().join("authority.pem");
    authority.write(&file)?;
    desk.set("SSL_CERT_FILE", &file.display().to_string());
    for name in ["HTTPS_PROXY", "VEGA__NETWORK__PROXY"] {
        let before = asked.load(Ordering::Relaxed);
        desk.set(name, &format!("http://{proxy}"));
        let ran = desk.vega(&["verify", "PRIMARY"]).await?;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(asked.load(Ordering::Relaxed) > before, "{name}");
        // The setting comes first.
        desk.set("HTTPS_PROXY", "http://127.0.0.1:9");
    }
    Ok(())
}

#[rstest]
#[case::forbids(
    "HTTP/1.1 403 Forbidden\r\n\r\n",
    "of HTTPS_PROXY refuses the way to api.upstox.example:443 (HTTP 403)"
)]
#[case::wants_a_password(
    "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
    "of HTTPS_PROXY wants a name and a password (HTTP 407)"
)]
#[case::no_proxy_at_all("SSH-2.0-OpenSSH_9.2\r\n", "of HTTPS_PROXY does not answer as a proxy does")]
#[tokio::test]
async fn a_proxy_that_lets_nothing_through_is_told(
    #[case] answer: &'static str,
    #[case] words: &str,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let (proxy, _) = proxy(Err(answer)).await?;
    let mut desk = desk_with_a_token(&upstox, &format!("https://{UPSTOX}")).await?;
    desk.set("HTTPS_PROXY", &format!("http://{proxy}"));
    told(&desk, &upstox, words).await
}

#[rstest]
#[case::another_protocol(
    "socks5://127.0.0.1:9",
    r#"HTTPS_PROXY is "socks5://127.0.0.1:9", which is no proxy that Vega can use"#
)]
#[case::a_password("http://me:CANARY@127.0.0.1:9", "which holds a name or a password")]
#[case::nonsense("%%%", r#"HTTPS_PROXY is "%%%", which is no proxy that Vega can use"#)]
#[tokio::test]
async fn a_proxy_that_cannot_be_used_keeps_back_calls_and_nothing_else(
    #[case] value: &str,
    #[case] words: &str,
) -> Result<()> {
    let upstox = Upstox::start().await?;
    let mut desk = desk_with_a_token(&upstox, &format!("https://{UPSTOX}")).await?;
    desk.set("HTTPS_PROXY", value);
    told(&desk, &upstox, words).await?;
    for arguments in [&["status"][..], &["config"]] {
        let ran = desk.vega(arguments).await?;
        assert!(matches!(ran.code, Some(0 | 5)), "{ran:?}");
        assert!(
            !ran.stdout.is_empty() && !ran.stdout.contains("CANARY"),
            "{ran:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_name_without_an_address_is_told() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = desk_with_a_token(&upstox, "https://api.upstox.invalid").await?;
    told(&desk, &upstox, "api.upstox.invalid").await.context("DNS")
}
