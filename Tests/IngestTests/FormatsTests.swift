import Channels
import Foundation
import Testing

@testable import throughline

/// `throughline formats`, and its table in README.md.
@Suite struct FormatsTests {
  /// `UPDATE_GOLDEN=1 swift test --filter FormatsTests` writes the table into README.md.
  @Test func `README has the table of formats that the code has`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let file = root.appending(path: "README.md")
    let readme = try String(contentsOf: file, encoding: .utf8)
    let start = try #require(readme.firstRange(of: "<!-- formats: throughline formats --markdown -->\n")).upperBound
    let end = try #require(readme.firstRange(of: "<!-- end of formats -->")).lowerBound
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
      let written = String(readme[..<start]) + FormatsCommand.table + String(readme[end...])
      try written.write(to: file, atomically: true, encoding: .utf8)
    } else {
      #expect(String(readme[start..<end]) == FormatsCommand.table, "`throughline formats --markdown` prints the table")
    }
  }

  @Test func `it lists every format, for people and for programs`() async throws {
    let page = try await ToolRun(["formats"])
    let lines = page.text.split(separator: "\n")
    #expect(page.code == 0 && lines.allSatisfy { $0.count <= 140 })
    let types = lines.dropFirst().filter { !$0.hasPrefix(" ") }.compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(types == Formats.all.map(\.type).sorted())
    let run = try await ToolRun(["formats", "--json"])
    #expect(run.objects.compactMap { $0["type"] as? String } == Formats.all.map(\.type).sorted())
    let mail = try #require(run.objects.first { $0["type"] as? String == "email.rfc822" })
    let crm = try #require(run.objects.first { $0["type"] as? String == "hubspot.event" })
    #expect(crm["topics"] as? [String] == ["crm.contacts", "channel.ticket"])
    #expect(mail["content_type"] as? String == "message/rfc822" && (mail["carries"] as? [String])?.contains("messages") == true)
    #expect(try await ToolRun(["formats", "--json", "--markdown"]).code == 64)
  }
}
