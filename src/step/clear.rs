//! Whether others can read on the way what is sent to an address.

use url::{Host, Url};

use crate::domain::Glob;

/// Whether what is sent to `url` can be read on the way: it is plain HTTP, leaves this machine, and its host is none of
/// `allowed`, where the operator trusts the way.
pub fn is_in_the_clear(url: &Url, allowed: &[Glob]) -> bool {
    if url.scheme() != "http" {
        return false;
    }
    let (name, here) = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_owned();
            let here = name == "localhost";
            (name, here)
        }
        Some(Host::Ipv4(ip)) => (ip.to_string(), ip.is_loopback()),
        Some(Host::Ipv6(ip)) => (ip.to_string(), ip.to_canonical().is_loopback()),
        None => return true,
    };
    !here && !allowed.iter().any(|glob| glob.matches(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_that_leaves_this_machine() {
        let allowed = [Glob::new("*.internal"), Glob::new("10.0.0.5"), Glob::new("fd00::5")];
        for (url, expected) in [
            ("https://shop.example.com/", false),
            ("http://shop.example.com/", true),
            ("http://127.0.0.1:3000/", false),
            ("http://127.1/", false),
            ("http://[::1]/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://localhost:3000/", false),
            ("http://localhost./", false),
            ("http://localhost.example.com/", true),
            ("http://api.localhost/", true),
            ("http://temps.internal:3000/", false),
            ("http://TEMPS.internal./", false),
            ("http://internal/", true),
            ("http://10.0.0.5/", false),
            ("http://10.0.0.6/", true),
            ("http://[fd00::5]/", false),
            ("tcp://db.example.com:5432", false),
        ] {
            let url = Url::parse(url).expect("an address");
            assert_eq!(is_in_the_clear(&url, &allowed), expected, "{url}");
        }
    }
}
