"""Where a connector may send: one table of addresses and URLs that attackers and mistakes come up with."""

import pytest
from cavra_delivery.connectors import ssrf
from cavra_delivery.connectors.base import NotConfigured
from cavra_delivery.connectors.config import ConnectorConfig

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fdff::1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "169.254.170.2", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254",
    "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1",
    "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "2001:10::1", "3fff::1", "5f00::1", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1",
]  # fmt: skip

REFUSED_URLS = [
    "", "hook.example", "//hook.example/", "ftp://hook.example/", "file:///etc/passwd", "gopher://hook.example:70/_", "javascript:1",
    "data:,x", "unix:///run/docker.sock", "http+unix://%2Frun%2Fdocker.sock/", "http://", "http:///path", "http:hook.example",
    "http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://127.1/", "http://127.0.1/", "http://0/",
    "http://0177.0.0.1/", "http://0x7f.0x0.0x0.0x1/", "http://127.0.0.01/", "http://127.0.0.1./", "http://127.0.0.256/",
    "http://1.2.3.4.5/", "http://host.0x7f/", "http://host.1/", "http://localhost./", "http://hook.example./", "http://.hook.example/",
    "http://hook..example/", "http://user@hook.example/", "http://user:pass@hook.example/", "http://hook.example@127.0.0.1/",
    "http://127.0.0.1:80@hook.example/", "http://@hook.example/", "http://hook.example\\@127.0.0.1/",
    "http://hook.example%40127.0.0.1/", "http://127.0.0.1%00.hook.example/", "http://127.0.0.1%09/", "http://%31%32%37.0.0.1/",
    "http://hook.exa mple/", "http://hook.example/\r\nx-injected: 1", "http://hook.exa\tmple/", "http://hook.example/\x00",
    "http://hook.example:/", "http://hook.example:0/", "http://hook.example:65536/", "http://hook.example:80:80/",
    "http://hook.example:8o/", "http://hook.example:-1/", "http://[::1%25lo]/", "http://[::1%lo]/", "http://[::1]x/", "http://[::1/",
    "http://::1/", "http://[127.0.0.1]/", "http://[v1.x]/", "http://[::ffff:127.0.0.1.]/",
    "http://\N{FULLWIDTH DIGIT ONE}27.0.0.1/",
    "http://\N{CIRCLED LATIN SMALL LETTER L}ocalhost/", "http://127\N{IDEOGRAPHIC FULL STOP}0.0.1/",
    "http://bücher.example/",
    "http://hook\N{SOFT HYPHEN}.example/", "http://" + "a" * 64 + ".example/", "http://" + "a." * 130 + "example/", "http://-hook.example/",
    "http://hook-.example/", "http://*.example/", "http://hook.example\N{FULLWIDTH SOLIDUS}127.0.0.1/",
]  # fmt: skip

TAKEN_URLS = [
    "http://hook.example", "https://hook.example/", "HTTPS://HOOK.Example:8443/a?b=c", "https://xn--bcher-kva.example/", "http://127.0.0.1:8080/",
    "http://[::1]:8080/x", "https://a_b.example/", "http://localhost:99/", "https://hook.example/p%20q?u=http://127.0.0.1/@x",
]  # fmt: skip


def test_the_tables_hold_what_they_promise() -> None:
    assert len(set(REFUSED_URLS)) >= 60
    assert len({*PRIVATE, *NEVER}) >= 50


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert ssrf.may_reach(address, private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_reached_only_where_the_configuration_allows_it(address: str) -> None:
    assert (ssrf.may_reach(address, private=False), ssrf.may_reach(address, private=True)) == (False, True)


@pytest.mark.parametrize("address", NEVER)
def test_an_address_that_no_receiver_has_is_never_reached(address: str) -> None:
    assert not ssrf.may_reach(address, private=False)
    assert not ssrf.may_reach(address, private=True)


@pytest.mark.parametrize("url", REFUSED_URLS, ids=map(ascii, REFUSED_URLS))
def test_a_url_that_readers_may_take_differently_is_no_destination(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ssrf.target(url)
    with pytest.raises(NotConfigured):
        ConnectorConfig.model_validate({"url": url}).target()


@pytest.mark.parametrize("url", TAKEN_URLS)
def test_a_plain_url_is_a_destination(url: str) -> None:
    assert ssrf.target(url).geturl().lower() == url.lower()
