import Foundation
import Testing

/// `throughline normalize`: what the workers would read, at a terminal.
@Suite struct NormalizeTests {
  private func normalize(_ arguments: String..., body: String) async throws -> (status: Int32, out: String) {
    let run = try await ToolRun(["normalize"] + arguments, input: body)
    return (run.code, run.text)
  }

  private let body = #"""
    {"token":"42","timestamp":1,"event":"message","message_token":4912661846655238145,
     "sender":{"id":"01234567890A=","name":"Ana \u001b[31m"},"message":{"type":"text","text":"hola"}}
    """#

  @Test func `identifiers come with their assurance, and nothing that a terminal would obey`() async throws {
    let (status, out) = try await normalize("--type", "viber.callback", "--attested", "signature", body: body)
    #expect(status == 0)
    #expect(out.hasPrefix("message     inbound, by customer\n"))
    #expect(out.contains("customer    A2  viber 01234567890A= in account\n"))
    #expect(out.contains("text        hola\n"))
    #expect(!out.contains("\u{1b}"))
    #expect(try await normalize("--type", "viber.callback", body: body).out.contains("customer    A0  viber"))
  }

  @Test func `as JSON an element is a line, and what is rejected is the exit code`() async throws {
    let (status, out) = try await normalize("--type", "viber.callback", "--json", body: body)
    #expect(status == 0)
    let event = try JSONSerialization.jsonObject(with: Data(out.utf8)) as? [String: Any]
    #expect(event?["channel"] as? String == "viber")
    let rejected = try await normalize("--type", "viber.callback", "--json", body: "{")
    #expect(rejected.status == 1)
    #expect(rejected.out.hasPrefix(#"{"rejected":{"reason":"malformed_json""#))
    #expect(try await normalize("--type", "no.such", body: body).status == 64)
  }
}
