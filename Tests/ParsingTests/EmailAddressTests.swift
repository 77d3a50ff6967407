import Parsing
import Testing

@Suite("E-mail addresses")
struct EmailAddressTests {
  @Test(
    "an address has one form",
    arguments: [
      ("Ana.Ruiz+Tag@Example.ORG", "ana.ruiz+tag@example.org"), ("  a@b.example\r\n", "a@b.example"),
      ("JOSÉ@x.example", "josé@x.example"),
      ("a@Bücher.example", "a@xn--bcher-kva.example"), ("a@XN--bcher-kva.example", "a@xn--bcher-kva.example"),
      ("a@faß.example", "a@xn--fa-hia.example"), ("a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"), ("a@ＥＸＡＭＰＬＥ.com", "a@example.com"),
      ("a@localhost", "a@localhost"), ("a@r3---sn.example", "a@r3---sn.example"), ("\"a@b\"@c.example", "\"a@b\"@c.example"),
      ("bounce+a=b.c@x.example", "bounce+a=b.c@x.example"), ("o'neil@x.example", "o'neil@x.example"),
    ])
  func addresses(text: String, expected: String) {
    #expect(EmailAddress.normalise(text) == expected)
    #expect(EmailAddress.normalise(expected) == expected)
  }

  @Test(
    "the rest is none",
    arguments: [
      "", "a", "@", "a@", "@b", "a@b@c", "a b@c.example", "a@b c.example", "a@b..c", "a@.b", "a@b.", "a@-b.c", "a@b-.c",
      "a@[192.0.2.1]", "a@\u{301}b.example", "a@\u{200D}b.example", "a@\u{FE0F}b.example",
      "a\0b@c.example", "a@b\0.example", "a\u{200B}b@c.example", "<a@b.example>", "Ana <a@b.example>", "a@b.example, d@e.example",
      "a@xn--a.example", "\"\"@x.example", "a@x\nb", String(repeating: "a", count: 253) + "@b",
      "a@" + String(repeating: "x", count: 64) + ".example", String(repeating: "ü", count: 100_000) + "@b.example",
    ])
  func others(text: String) {
    #expect(EmailAddress.normalise(text) == nil)
  }
}
