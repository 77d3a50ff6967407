import Parsing
import Testing

@Suite("HTML as text")
struct HTMLTextTests {
  private func text(_ html: String, droppingQuotes: Bool = false) -> String {
    HTMLText.plainText(html, maximumOutputBytes: 1 << 20, droppingQuotes: droppingQuotes).text
  }

  @Test(
    "a reader sees this",
    arguments: [
      ("<p>Lleg&oacute; roto.</p><img src=\"cid:logo1\">", "Llegó roto."), ("plain", "plain"), ("", ""),
      ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"), ("<div>a<br></div><div>b</div>", "a\nb"),
      ("a<br><br><br><br>b", "a\n\nb"), ("<p>a\n  b</p>\n\n<p>c</p>", "a b\nc"), ("<ul><li>a<li>b</ul><h1>t</h1>x", "a\nb\nt\nx"),
      ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
      ("<a href=\"http://x\">link</a> on", "link on"),
      ("a&nbsp;&nbsp;b &euro;&#8364;&amp;lt; &bogus;", "a b €€&lt; &bogus;"), ("<pre>a\nb\n\nc</pre>d", "a\nb\n\nc\nd"),
      ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"), ("a\0b", "a b"), ("<P>UP</P><DIV>X", "UP\nX"), ("<b>a</b> <i>b</i>", "a b"),
    ])
  func visible(html: String, expected: String) {
    #expect(text(html) == expected)
  }

  @Test(
    "scripts, styles, heads, comments and what is kept for machines are not text",
    arguments: [
      "<head><title>T</title><style>p{}</style><meta charset=latin1></head><body>é", "<script>alert('<p>x')</script>é",
      "<noscript>n</noscript><template>t</template>é", "<!-- c --><?php p ?>é", "<xml><o:P>96</o:P></xml>é", "é<style>unclosed",
      "<!--[if mso]><p>x</p><![endif]-->é",
    ])
  func dropped(html: String) {
    #expect(text(html) == "é")
  }

  @Test("stray end tags and a second document do not end the text")
  func strayTags() {
    #expect(text("</p></div></html>a</body></html><p>b") == "a\nb")
    #expect(text("<html><body><p>a</p></body></html>\n<html><head><title>t</title></head><body><p>b</p></body></html>") == "a\nb")
  }

  @Test(
    "quoted history can be left out",
    arguments: [
      "r<div class=\"x gmail_quote\">On <blockquote>old</blockquote></div>", "r<blockquote type=\"CITE\"><p>old</p></blockquote>",
      "r<div class=\"moz-cite-prefix\">On</div><blockquote type=cite>old</blockquote>", "r<div class='yahoo_quoted'>old</div>",
      "r<hr><div id=\"divRplyFwdMsg\">From</div><div>old</div>",
    ])
  func quotes(html: String) {
    #expect(text(html, droppingQuotes: true) == "r")
    #expect(text(html).contains(html.contains("divRply") ? "From" : "old"))
  }

  @Test("the text is cut between characters at the limit", arguments: [(6, "Ünï"), (4, "Ün"), (2, "Ü"), (1, ""), (-1, "")])
  func limit(bytes: Int, expected: String) {
    let result = HTMLText.plainText("Ünï😀<p>x", maximumOutputBytes: bytes)
    #expect(result.text == expected)
    #expect(result.isTruncated)
  }

  @Test("too many open elements or attributes end the text")
  func absurd() {
    #expect(HTMLText.plainText(String(repeating: "<b>", count: 10_000) + "x", maximumOutputBytes: 100).isTruncated)
    let attributes = (0..<20_000).map { " a\($0)=1" }.joined()
    #expect(HTMLText.plainText("a<p" + attributes + ">b", maximumOutputBytes: 100).isTruncated)
    #expect(text("a<img src=\"data:image/png;base64," + String(repeating: "QUJD", count: 100_000) + "\">b") == "ab")
  }

  @Test("any damage of a page ends in text")
  func damage() {
    let seed = UInt64.random(in: .min ... .max)
    var random = SplitMix64(state: seed)
    let pieces = ["<", ">", "</p>", "<p", "&", "&#x", "<!--", "-->", "\"", "=", "<table>", "</body>", "<script>", "é", "\0", " "]
    for _ in 0..<500 {
      let html = (0..<Int.random(in: 1...60, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      let result = HTMLText.plainText(html, maximumOutputBytes: 50)
      #expect(result.text.utf8.count <= 50 && !result.text.utf8.contains(0), "seed \(seed)")
    }
  }
}
