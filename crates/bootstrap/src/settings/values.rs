//! Parses the text of settings. Each function returns the value, or what is wrong and what to write, as the end of a
//! sentence that begins with the key and the text.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::telemetry::LogFormat;
use url::{Host, Url};
use vega_domain::account::Route;
use vega_domain::check_times::CheckTimes;
use vega_persistence::DatabasePlace;

/// The value, or "is no …. Write …".
pub(crate) type Read<T> = Result<T, &'static str>;

/// A duration such as `11m`, `90s`, `1h 30m`; at most a day, because nothing here can sensibly take longer.
pub(crate) fn duration(text: &str) -> Read<Duration> {
    const LONGEST: Duration = Duration::from_hours(24);
    match humantime::parse_duration(text) {
        Err(_) => Err("is no duration. Write numbers with their units, such as 90s, 11m or 1h 30m"),
        Ok(Duration::ZERO) => Err("is no time at all. Write a duration such as 90s or 11m"),
        Ok(long) if long > LONGEST => Err("is longer than a day. Write a duration up to 24h, such as 11m"),
        Ok(read) => Ok(read),
    }
}

/// A length of time as programs give it: with its units, such as `30m`, or in seconds alone.
pub fn length(text: &str) -> Result<Duration, humantime::DurationError> {
    let seconds = text.bytes().all(|digit| digit.is_ascii_digit());
    match text.parse() {
        Ok(number) if seconds => Ok(Duration::from_secs(number)),
        _ => humantime::parse_duration(text),
    }
}

/// A whole number from 1.
pub(crate) fn count<T: std::str::FromStr + PartialOrd + From<u8>>(text: &str) -> Read<T> {
    match text.parse::<T>() {
        Ok(read) if read >= T::from(1) => Ok(read),
        _ => Err("is no count. Write a whole number from 1, such as 4"),
    }
}

pub(crate) fn yes_or_no(text: &str) -> Read<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("is neither yes nor no. Write true or false"),
    }
}

/// An address of the web with a host, without a name or password: those would be sent over the network and written to
/// logs.
fn http_url(text: &str) -> Read<Url> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url =
        url.ok_or("is no web address. Write http:// or https:// and a host, such as https://api.upstox.com")?;
    if url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err("holds a name or a password. Take them out, such as https://api.upstox.com")
    }
}

/// An HTTP proxy, or `None` for none.
pub(crate) fn proxy(text: &str) -> Read<Option<Url>> {
    const WRITE: &str = "is no proxy that Vega can use. Write http:// with host and port, such as \
                         http://proxy.example:3128, or none";
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    // Many write the variable without its scheme.
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| WRITE)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds a name or a password, which Vega keeps in no address. Write http:// with host and port alone, \
                    and have the proxy let this computer through without",
        );
    }
    let is_alone = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if url.scheme() != "http" || !url.has_host() || !is_alone {
        return Err(WRITE);
    }
    Ok(Some(url))
}

/// The address to which tokens, codes and secrets are sent: nobody between may read them. Paths are appended to it.
pub(crate) fn api_base_url(text: &str) -> Read<Url> {
    let url = http_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            "holds a query or a #fragment. Write scheme, host and path alone, such as https://api.upstox.com",
        );
    }
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(
            "would send tokens and secrets over the network for all to read. Write https://, such as https://api.upstox.com",
        );
    }
    Ok(url)
}

/// The address of the driver that types the OTP and the PIN. A `WebDriver` speaks plain HTTP and asks for no password,
/// so the address must be on this machine.
pub(crate) fn webdriver_url(text: &str) -> Read<Url> {
    let url = http_url(text)?;
    if url.scheme() == "http" && is_loopback(&url) {
        Ok(url)
    } else {
        Err(
            "is not of this machine, and OTP and PIN would go over the network for all to read. \
             Write http:// and a loopback address, such as http://127.0.0.1:9515; ssh -L brings a distant one there",
        )
    }
}

/// Whether data that is sent there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address
                    .to_ipv4_mapped()
                    .is_some_and(|address| address.is_loopback())
        }
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        None => false,
    }
}

/// Times of day on India's clock.
pub(crate) fn check_times(text: &str) -> Read<CheckTimes> {
    text.parse()
        .map_err(|_| "holds what is no time of day. Write times on India's clock with commas between them, such as 08:30,09:00")
}

/// The route of signing in.
pub(crate) fn route(text: &str) -> Read<Route> {
    text.parse()
        .map_err(|_| "is no way of signing in. Write webdriver or own-browser")
}

/// The address on which a server listens. An IPv4 address that is written as IPv6 becomes IPv4.
pub(crate) fn listen_address(text: &str) -> Read<SocketAddr> {
    let address: Result<SocketAddr, _> = text.parse();
    address
        .map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()))
        .map_err(|_| "is no address to listen on. Write an IP address and a port, such as 127.0.0.1:28020")
}

/// The address under which others reach the server: what they send there holds keys.
pub(crate) fn public_url(text: &str) -> Read<Url> {
    const WRITE: &str = "is no address under which others reach the server. Write https:// with its name and, unless it is 443, \
                         its port, such as https://vega.example";
    let url = Url::parse(text).map_err(|_| WRITE)?;
    let is_alone = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let is_named = url.username().is_empty() && url.password().is_none();
    if url.scheme() == "https" && url.has_host() && is_alone && is_named {
        Ok(url)
    } else {
        Err(WRITE)
    }
}

/// The format of a log.
pub(crate) fn log_format(text: &str) -> Read<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is no format of a log. Write text or json"),
    }
}

/// `sqlite://` and a full path, or `postgres://` and what names a database on a server.
pub(crate) fn database_url(text: &str) -> Read<String> {
    if ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
    {
        return match DatabasePlace::from(text).wrong_server_url() {
            None => Ok(text.to_owned()),
            Some(wrong) => Err(wrong.words()),
        };
    }
    match text.strip_prefix("sqlite://") {
        Some(path) if Path::new(path).is_absolute() && !path.contains(['?', '#']) => Ok(text.to_owned()),
        _ => Err(
            "is no database that Vega can use. Write sqlite:// and a full path, such as sqlite:///home/me/vega_trade.db, or a \
             database on a server, such as postgres://vega@db.example/vega",
        ),
    }
}

/// A full path: a relative one would mean another file in every working directory.
pub(crate) fn path(text: &str) -> Read<PathBuf> {
    if text.starts_with('~') {
        return Err(
            "begins with ~, which only a shell understands. Write the path in full, such as /home/me/…",
        );
    }
    match Path::new(text) {
        path if path.is_absolute() => Ok(path.to_owned()),
        _ => Err("is no full path. Write it from the root on, such as /home/me/…"),
    }
}

/// An invalid value in a form that may be shown: an address can contain a password before its host, in its query or
/// after it, and a malformed address can contain one anywhere.
pub(crate) fn without_password(text: &str) -> String {
    let small = text.to_lowercase();
    let scheme = text
        .split_once("://")
        .map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    match (text.rsplit_once('@'), text.find(['?', '#'])) {
        // `vega:password/db` is no host with a port; `host=db password=x` names it.
        // Pairs, in which a password may hold the sign itself, and so may words behind it.
        (_, None) if scheme.is_empty() && text.contains('=') => "…".to_owned(),
        (None, None) if !scheme.is_empty() && Url::parse(text).is_err() => format!("{scheme}…"),
        (None, None) if ["passw", "pwd", "secret"].iter().any(|word| small.contains(word)) => {
            format!("{scheme}…")
        }
        (None, None) => text.to_owned(),
        (Some((_, host)), None) => format!("{scheme}…@{host}"),
        (None, Some(at)) => format!("{}…", &text[..=at]),
        // Either sign may be part of the password.
        (Some(_), Some(_)) => format!("{scheme}…"),
    }
}

/// The URL of a database in a form that may be shown, for any engine: a file has no password, and may have any
/// character in its name.
pub(crate) fn database(url: &str) -> String {
    // One in force holds no password.
    if database_url(url).is_ok() {
        url.to_owned()
    } else {
        without_password(url)
    }
}

/// An address in a form that may be shown.
pub(crate) fn shown(url: &Url) -> String {
    without_password(url.as_str())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("11m", Some(660))]
    #[case("1h 30m", Some(5400))]
    #[case("24h", Some(86400))]
    #[case("24h 1s", None)]
    #[case("0s", None)]
    #[case("11", None)]
    #[case("-1s", None)]
    #[case("11 parsecs", None)]
    #[case("300000 years", None)]
    #[case("99999999999999999999s", None)]
    fn a_duration_has_a_unit_and_is_a_day_at_most(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs));
    }

    #[rstest]
    #[case("4", Some(4))]
    #[case("1", Some(1))]
    #[case("0", None)]
    #[case("-1", None)]
    #[case("4.0", None)]
    #[case("99999999999", None)]
    #[case("four", None)]
    fn a_count_is_whole_and_at_least_one(#[case] text: &str, #[case] read: Option<u32>) {
        assert_eq!(count::<u32>(text).ok(), read);
    }

    #[rstest]
    #[case("true", Some(true))]
    #[case("Yes", Some(true))]
    #[case("0", Some(false))]
    #[case("ture", None)]
    #[case("2", None)]
    fn yes_and_no_have_several_words(#[case] text: &str, #[case] read: Option<bool>) {
        assert_eq!(yes_or_no(text).ok(), read);
    }

    #[rstest]
    #[case("08:30, 09:00", Some("08:30,09:00"))]
    #[case("23:59,00:00", Some("00:00,23:59"))]
    #[case("24:00", None)]
    #[case("08:30, nine", None)]
    #[case("08:30,", None)]
    fn check_times_are_times_of_day(#[case] text: &str, #[case] read: Option<&str>) {
        let times = check_times(text).ok().map(|times| times.to_string());
        assert_eq!(times.as_deref(), read);
    }

    #[rstest]
    #[case("127.0.0.1:28020", Some("127.0.0.1:28020"))]
    #[case("[::1]:28020", Some("[::1]:28020"))]
    #[case("[::ffff:127.0.0.1]:28020", Some("127.0.0.1:28020"))]
    #[case("[::ffff:10.0.0.7]:28020", Some("10.0.0.7:28020"))]
    #[case("localhost:28020", None)]
    #[case("127.0.0.1", None)]
    fn an_address_of_both_kinds_is_of_one(#[case] text: &str, #[case] read: Option<&str>) {
        let address = listen_address(text).ok().map(|address| address.to_string());
        assert_eq!(address.as_deref(), read);
    }

    #[rstest]
    #[case("webdriver", Some(Route::Webdriver))]
    #[case("own-browser", Some(Route::OwnBrowser))]
    #[case("own_browser", None)]
    #[case("", None)]
    fn a_route_is_one_of_two(#[case] text: &str, #[case] read: Option<Route>) {
        assert_eq!(route(text).ok(), read);
    }

    #[rstest]
    #[case("https://api.upstox.com", true)]
    #[case("http://127.0.0.1:9515", true)]
    #[case("localhost:9515", false)]
    #[case("ftp://api.upstox.com", false)]
    #[case("api.upstox.com", false)]
    #[case("https://", false)]
    #[case("https://me@api.upstox.com", false)]
    #[case("https://:pw@api.upstox.com", false)]
    fn a_web_address_has_scheme_and_host(#[case] text: &str, #[case] taken: bool) {
        assert_eq!(http_url(text).is_ok(), taken);
    }

    #[rstest]
    #[case("http://proxy.example:3128", Ok(Some("http://proxy.example:3128/")))]
    #[case("proxy.example:3128", Ok(Some("http://proxy.example:3128/")))]
    #[case("10.0.0.1:8080", Ok(Some("http://10.0.0.1:8080/")))]
    #[case("http://[::1]:3128/", Ok(Some("http://[::1]:3128/")))]
    #[case("none", Ok(None))]
    #[case("NONE", Ok(None))]
    #[case("https://proxy.example:3128", Err("is no proxy"))]
    #[case("socks5://proxy.example:1080", Err("is no proxy"))]
    #[case("http://", Err("is no proxy"))]
    #[case("http://me:CANARY@proxy.example:3128", Err("holds a name or a password"))]
    #[case("me@proxy.example:3128", Err("holds a name or a password"))]
    #[case("http://proxy.example:3128/path", Err("is no proxy"))]
    #[case("http://proxy.example:3128/?x=CANARY", Err("is no proxy"))]
    #[case("http://proxy.example:99999", Err("is no proxy"))]
    #[case("not a proxy", Err("is no proxy"))]
    fn a_proxy_is_host_and_port(#[case] text: &str, #[case] read: Result<Option<&str>, &str>) {
        match (proxy(text), read) {
            (Ok(found), Ok(url)) => assert_eq!(found.as_ref().map(Url::as_str), url),
            (Err(found), Err(words)) => assert!(found.starts_with(words), "{found}"),
            (found, read) => panic!("{text}: {found:?}, not {read:?}"),
        }
    }

    #[rstest]
    #[case("https://api.upstox.com", true)]
    #[case("http://127.0.0.1:9/base/", true)]
    #[case("https://api.upstox.com?x=1", false)]
    #[case("https://api.upstox.com/#x", false)]
    #[case("https://me@api.upstox.com", false)]
    #[case("https://:pw@api.upstox.com", false)]
    #[case::lower_down("https://desk.example/upstox", true)]
    #[case::in_the_clear("http://api.upstox.com", false)]
    #[case::in_the_clear_by_address("http://10.0.0.7:8080", false)]
    #[case::localhost("http://localhost:8080", true)]
    #[case::localhost_with_a_dot("http://localhost.:8080", true)]
    #[case::other_loopback("http://127.8.9.1", true)]
    #[case::short_form("http://127.1:80", true)]
    #[case::as_one_number("http://2130706433", true)]
    #[case::version_6("http://[::1]:8080", true)]
    #[case::version_4_in_6("http://[::ffff:127.0.0.1]", true)]
    #[case::any_address("http://0.0.0.0:80", false)]
    #[case::dressed_as_loopback("http://127.0.0.1.evil.example", false)]
    #[case::dressed_as_localhost("http://localhost.evil.example", false)]
    #[case::ends_as_localhost("http://evil-localhost", false)]
    #[case::before_an_at("http://127.0.0.1@evil.example", false)]
    #[case::behind_a_backslash("http://evil.example\\@127.0.0.1", false)]
    fn the_api_is_an_address_alone_and_nobody_reads_on_the_way(#[case] text: &str, #[case] taken: bool) {
        assert_eq!(api_base_url(text).is_ok(), taken);
    }

    #[rstest]
    #[case("http://127.0.0.1:9515", true)]
    #[case("http://localhost:9515/wd/hub", true)]
    #[case("http://[::1]:9515", true)]
    #[case("http://selenium:4444", false)]
    #[case("http://192.168.1.7:9515", false)]
    #[case("https://127.0.0.1:9515", false)]
    #[case("https://grid.example/wd/hub", false)]
    #[case("http://me:CANARY@127.0.0.1:9515", false)]
    #[case("http://me@127.0.0.1:9515", false)]
    fn a_webdriver_is_of_this_machine(#[case] text: &str, #[case] taken: bool) {
        assert_eq!(webdriver_url(text).is_ok(), taken);
    }

    #[rstest]
    #[case("/home/me/vega.key", true)]
    #[case("vega.key", false)]
    #[case("./vega.key", false)]
    #[case("~/vega.key", false)]
    #[case("~me/vega.key", false)]
    fn a_path_is_full(#[case] text: &str, #[case] taken: bool) {
        assert_eq!(path(text).is_ok(), taken);
    }

    #[rstest]
    #[case("sqlite:///x/vega.db", true)]
    #[case("postgres://localhost/vega", false)]
    #[case("vega_trade.db", false)]
    #[case("sqlite://", false)]
    #[case("sqlite:///x?mode=memory", false)]
    #[case("sqlite://relative.db", false)]
    #[case("postgres://vega@db.example/vega", true)]
    #[case("postgresql://vega@db1,db2:5433/vega", true)]
    #[case("postgres://vega:CANARY@db.example/vega", false)]
    #[case("postgres://vega@db.example/vega?sslmode=require", false)]
    #[case("mysql://vega@db.example/vega", false)]
    fn a_database_is_a_file_with_a_full_path_or_on_a_server(#[case] text: &str, #[case] taken: bool) {
        assert_eq!(database_url(text).is_ok(), taken);
    }

    #[rstest]
    #[case("postgres://vega:CANARY@host/db", "postgres://…@host/db")]
    #[case("postgres://vega:CAN@ARY@host/db", "postgres://…@host/db")]
    #[case("vega:CANARY@host", "…@host")]
    #[case("https://host/path", "https://host/path")]
    #[case("11 parsecs", "11 parsecs")]
    #[case("postgres://host/db?password=CANARY", "postgres://host/db?…")]
    #[case("postgres://host/db?password=CAN@ARY", "postgres://…")]
    #[case("postgres://vega:CAN?ARY@host/db", "postgres://…")]
    #[case("https://host/path#CANARY", "https://host/path#…")]
    #[case::host_forgotten("postgres://vega:CANARY/db", "postgres://…")]
    #[case::port_forgotten("postgres://vega:CANARY:5432/db", "postgres://…")]
    #[case::in_words("host=db user=vega password=CANARY", "…")]
    #[case::in_words_with_an_at("host=db password=CAN@ARY", "…")]
    #[case::pair("password:CANARY", "…")]
    #[case::jdbc(
        "jdbc:postgresql://host/db?user=v&password=CANARY",
        "jdbc:postgresql://host/db?…"
    )]
    fn a_password_is_left_out(#[case] text: &str, #[case] told: &str) {
        assert_eq!(without_password(text), told);
    }
}
