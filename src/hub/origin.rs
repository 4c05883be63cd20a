//! Whether a page may connect. Browsers let any page open a WebSocket to any host and say which
//! page it was; a program that is no browser says nothing.

/// Whether a page of this origin may connect to this host: one that the host itself serves, or one
/// of those that were allowed by name.
pub(super) fn is_welcome(origin: &[u8], host: &[u8], allowed: &[String]) -> bool {
    if allowed
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
    {
        return true;
    }
    let schemes: [(&[u8], &[u8]); 2] = [(b"http://", b":80"), (b"https://", b":443")];
    schemes.iter().any(|(scheme, port)| {
        let bare = |name: &[u8]| {
            name.strip_suffix(*port)
                .unwrap_or(name)
                .to_ascii_lowercase()
        };
        let lower = origin.to_ascii_lowercase();
        lower
            .strip_prefix(*scheme)
            .is_some_and(|page| !page.is_empty() && bare(page) == bare(host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_same_host_and_port_is_welcome() {
        for (origin, host) in [
            ("http://hub.example", "hub.example"),
            ("http://hub.example:80", "Hub.Example"),
            ("https://hub.example", "hub.example:443"),
            ("https://hub.example:8443", "hub.example:8443"),
            ("http://[::1]:7171", "[::1]:7171"),
        ] {
            assert!(
                is_welcome(origin.as_bytes(), host.as_bytes(), &[]),
                "{origin} at {host}"
            );
        }
    }

    #[test]
    fn any_other_page_is_not() {
        for (origin, host) in [
            ("http://evil.example", "hub.example"),
            ("http://hub.example.evil.example", "hub.example"),
            ("http://evil.example/hub.example", "hub.example"),
            ("http://hub.example:81", "hub.example"),
            ("http://hub.example:443", "hub.example"),
            ("null", "hub.example"),
            ("", ""),
            ("http://", ""),
            ("file://", "hub.example"),
            ("hub.example", "hub.example"),
        ] {
            assert!(
                !is_welcome(origin.as_bytes(), host.as_bytes(), &[]),
                "{origin} at {host}"
            );
        }
    }

    #[test]
    fn a_page_that_was_allowed_by_name_is_welcome() {
        let allowed = ["https://app.example".to_owned()];
        assert!(is_welcome(b"https://App.example", b"hub.example", &allowed));
        assert!(!is_welcome(
            b"https://app.example:8080",
            b"hub.example",
            &allowed
        ));
        assert!(!is_welcome(b"http://app.example", b"hub.example", &allowed));
    }
}
