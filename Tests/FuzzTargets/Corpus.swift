import Canonical
import Channels
import Foundation

/// Where inputs begin: the samples of every format, and a few texts that parsers trip over.
enum Corpus {
  private static let samples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "ChannelsTests/Samples")

  /// The files of a folder in the order of their names; none where there is no folder.
  static func files(in folder: URL) -> [(name: String, bytes: [UInt8])] {
    let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    return files.sorted { $0.path < $1.path }.compactMap { file in
      (try? Data(contentsOf: file)).map { (file.lastPathComponent, Array($0)) }
    }
  }

  static func payloads(of type: String) -> [[UInt8]] {
    files(in: samples.appending(path: type)).filter { $0.name.split(separator: ".").count == 2 }.map(\.bytes)
  }

  /// A good envelope for a payload of the format, but for `attested`.
  static func headers(of format: ChannelFormat) -> [Record.Header] {
    let channel = format.channel ?? .whatsapp
    let account = channel == .email ? "support%40shop.example" : "acc_1"
    return [
      ("ce_specversion", "1.0"), ("ce_id", "d-1"), ("ce_type", format.type), ("ce_time", "2026-05-12T09:14:05Z"),
      ("ce_source", "/channels/\(channel.rawValue)/\(account)"), ("content-type", "application/octet-stream"),
    ].map { Record.Header($0.0, Array($0.1.utf8)) }
  }

  /// Of each format one record in either content mode, as `FuzzTarget.envelope` reads them.
  static let envelopes: [[UInt8]] = Formats.all.flatMap { format -> [[UInt8]] in
    guard let payload = payloads(of: format.type).first else { return [] }
    let headers =
      headers(of: format) + [
        Record.Header("ce_tenantid", Array("shop-1".utf8)), Record.Header("ce_attested", Array("signature".utf8)),
        Record.Header("ce_traceparent", Array("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".utf8)),
      ]
    let own = "topic: \(format.topic)\nkey: k\ntime: 1778577245000\n"
    let binary = headers.map { $0.name + ": " + String(decoding: $0.value ?? [], as: UTF8.self) + "\n" }.joined()
    var envelope = JSONObjectWriter()
    for header in headers where header.name.hasPrefix("ce_") {
      envelope.member(String(header.name.dropFirst(3)), String(decoding: header.value ?? [], as: UTF8.self))
    }
    if payload.isJSON {
      envelope.member("data", JSONText(utf8: payload))
    } else {
      envelope.member("data_base64", Data(payload).base64EncodedString())
    }
    let structured = Array((own + "content-type: application/cloudevents+json\n\n").utf8) + envelope.finish().utf8
    return [Array((own + binary + "\n").utf8) + payload, structured]
  }

  static let pages: [[UInt8]] = [
    "<html><head><style>p{}</style></head><body><p>One &amp; <b>two</b>&nbsp;three<br>four</p><pre>a\n b</pre></body></html>",
    "<div class=\"gmail_quote\"><blockquote type=cite>old</blockquote></div><ul><li>a<li>b</ul><table><tr><td>1<td>2</table>",
    "<!-- a comment --><![CDATA[x]]><script>if (a<b) {}</script><p id=divRplyFwdMsg>x", "&#0;&#x110000;&#xD800;&lt;&unknown;&",
    "<a href='x' title=\"y\" z=w>link</a><p/><p //></ p><<>>", "<!DOCTYPE html [<!ENTITY a \"b\">]><x>&a;</x>\u{0}\u{feff}é",
  ].map { Array($0.utf8) }

  static let documents: [[UInt8]] =
    [
      #"{"a":[1,-0,1.5e3,1e400,-1e-400,9223372036854775808,18446744073709551616,123456789012345678901234567890]}"#,
      #"["\ud83d\ude00","\ud800","\u0000","\\u0000","\"",{"a":1,"a":2},[],{},null,true,false]"#, "0", "-1", "\"\"", "[[[[]]]]",
    ].map { Array($0.utf8) } + Formats.all.flatMap { payloads(of: $0.type).prefix(1) }

  static let words: [[UInt8]] = [
    "2026-05-12T09:14:07.123456Z", "0001-01-01T00:00:00+23:59", "9999-12-31 23:59:60.999999999-2359", "2024-02-29t00:00:00,5 UTC",
    "Tue, 12 May 2026 09:14:07 +0000", "Tue May 12 09:14:07 +0000 2026", "Ana.Diaz+x@Bücher.Example",
    "\"a b\"@xn--bcher-kva.example",
    "a@b..c", "+52 1 55 1234 5678", "0151 23456789", "tel:+1-202-555-0100;ext=5", "٠١٢٣٤٥٦٧٨٩",
  ].map { Array($0.utf8) }

  /// The integers of a JSON text that no Double holds.
  static func integers(in json: [UInt8]) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var (position, isInString) = (0, false)
    while position < json.count {
      let byte = json[position]
      if byte == UInt8(ascii: "\"") { isInString.toggle() }
      if byte == UInt8(ascii: "\\") { position += 1 }
      guard !isInString, byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte) else {
        position += 1
        continue
      }
      let token = json[position...].prefix { "+-.eE".utf8.contains($0) || (0x30...0x39).contains($0) }
      if token.count > 15, token.dropFirst().allSatisfy({ (0x30...0x39).contains($0) }) { found.append(Array(token)) }
      position = token.endIndex
    }
    return found
  }
}
