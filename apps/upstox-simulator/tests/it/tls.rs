//! The simulator over TLS: it is the broker for those who trust its authority, and for nobody else.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest as _};
use upstox_simulator::TestAuthority;

use crate::{broker::Broker, feeds::MARKET_DATA};

async fn shake_hands(
    address: SocketAddr,
    name: &'static str,
    trusted: &Path,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(trusted).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).unwrap(), stream)
        .await
}

#[tokio::test]
async fn a_feed_is_open_to_those_who_trust_the_authority() {
    let mut broker = Broker::start().await;
    let token = broker.token(0).await;
    let (folder, another) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let authority = TestAuthority::of_folder(folder.path()).unwrap();
    let address = broker
        .simulator
        .serve_tls(([127, 0, 0, 1], 0).into(), &authority)
        .await
        .unwrap();

    let stranger = TestAuthority::of_folder(another.path()).unwrap();
    let refused = shake_hands(address, "api.upstox.com", stranger.file()).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    assert!(
        shake_hands(address, "example.com", authority.file())
            .await
            .is_err()
    );

    // A handshake that never comes holds up nobody.
    let _silent = TcpStream::connect(address).await.unwrap();
    let stream = shake_hands(address, "api.upstox.com", authority.file())
        .await
        .unwrap();
    let mut request = format!("wss://api.upstox.com{MARKET_DATA}")
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    let Err(tokio_tungstenite::tungstenite::Error::Http(redirect)) = client_async(request, stream).await
    else {
        panic!("no redirect");
    };
    assert_eq!(redirect.status(), 302);
    let location = redirect.headers()["location"].to_str().unwrap().to_owned();
    let stream = shake_hands(address, "wsfeeder-api.upstox.com", authority.file())
        .await
        .unwrap();
    let (mut socket, _) = client_async(location, stream).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().is_binary());
    assert_eq!(broker.counters().await["feeds_opened"], 1);
    // Cutting goes through TLS.
    broker.post("/_sim/feeds/cut", serde_json::json!({})).await;
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(Duration::from_secs(10), end).await.unwrap();
}

#[tokio::test]
async fn simulators_of_one_folder_have_one_authority() {
    let folder = TempDir::new().unwrap();
    let first = TestAuthority::of_folder(folder.path()).unwrap();
    let text = std::fs::read(first.file()).unwrap();
    let mut broker = Broker::start().await;
    let second = TestAuthority::of_folder(folder.path()).unwrap();
    assert_eq!(std::fs::read(second.file()).unwrap(), text);
    let address = broker
        .simulator
        .serve_tls(([127, 0, 0, 1], 0).into(), &second)
        .await
        .unwrap();
    shake_hands(address, "api.upstox.com", first.file())
        .await
        .unwrap();
}
