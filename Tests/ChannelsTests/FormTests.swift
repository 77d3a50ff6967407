import Canonical
import Testing

@testable import Channels

/// `form.submission`: who the sender is, and what may not get out of a field.
@Suite struct FormTests {
  private func message(_ name: String, attested: String? = nil) throws -> Message {
    var sample = try Sample.named("form.submission", name)
    if let attested { sample.headers["ce_attested"] = attested }
    return try #require(Normaliser().normalise(sample.record()).messages.first)
  }

  private func stated(_ message: Message) -> [String] {
    message.customer.map { $0.identifier.kind.rawValue + " " + $0.identifier.value + " " + $0.assurance.label }
  }

  @Test("What is typed is a claim, whatever is attested: the e-mail address first, then the number")
  func typed() throws {
    let claims = ["email ana.ruiz@example.org A0", "phone +34600111222 A0"]
    #expect(try stated(message("labels")) == claims)
    #expect(try stated(message("labels", attested: "token signature business dmarc")) == claims)
    #expect(try stated(message("nobody")) == [])
  }

  @Test("A number without a country is no identifier")
  func nationalNumber() throws {
    #expect(try stated(message("bare")) == ["email ana.ruiz@example.org A0"])
  }

  @Test("The signed token vouches for the customer, not for what they type beside it")
  func signedIn() throws {
    #expect(
      try stated(message("signed_in")) == [
        "external_id 10042 A3", "email ana.ruiz@example.org A3", "phone +34600111222 A3", "email otra@example.org A0",
      ])
    #expect(
      try stated(message("token_not_attested")) == [
        "email ana.ruiz@example.org A0", "email otra@example.org A0", "phone +34600111222 A0", "external_id 10042 A0",
      ])
    #expect(try !message("signed_in").details.string.contains("eyJ"))
  }

  @Test("No line break gets into a single line, and an address with one is none")
  func headerInjection() throws {
    let message = try message("header_injection")
    #expect(message.customer.isEmpty)
    #expect(message.customerName == "Ana Bcc: x@example.org" && message.subject == "Hola X-Evil: 1")
    #expect(message.attachments.first?.name == "a b.pdf")
    #expect(message.text == "línea 1\r\nlínea 2")
  }

  @Test("Spam is what the form says, and whoever fills in the honeypot")
  func spam() throws {
    #expect(try message("spam").flags == ["spam"] && message("spam").customerName == "Best Pills")
    #expect(try message("stated_spam").flags == ["spam"])
    #expect(try message("bare").flags == [])
  }

  @Test("A resubmission is the same message, on another form it is another")
  func resubmission() throws {
    var sample = try Sample.named("form.submission", "bare")
    let first = Normaliser().normalise(sample.record())
    sample.payload = Array(String(decoding: sample.payload, as: UTF8.self).replacing("Llegó roto", with: "Llegó muy roto").utf8)
    #expect(Normaliser().normalise(sample.record()).events.first?.key == first.events.first?.key)
    sample.headers["ce_source"] = "/channels/form/returns"
    #expect(Normaliser().normalise(sample.record()).events.first?.key != first.events.first?.key)
  }
}
