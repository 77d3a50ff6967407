import Kafka
import Testing

@Suite struct ConfigurationTests {
  private static func fault(_ properties: [String: String]) -> KafkaFault? {
    let configuration = KafkaConfiguration(bootstrapServers: "localhost:1", properties: properties, logger: quiet)
    do {
      _ = try KafkaConsumer(configuration: configuration, group: "ingest")
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("no.such.property", "secret"), ("session.timeout.ms", "secret"), ("ssl.ca.location", "/nowhere/secret"),
    ("max.poll.interval.ms", "1"),
  ])
  func `a bad property is named and its value is not`(_ name: String, _ value: String) {
    var properties = [name: value]
    if name.hasPrefix("ssl") { properties["security.protocol"] = "ssl" }
    let fault = Self.fault(properties)
    #expect(fault?.property == name)
    #expect(fault?.disposition == .stop)
    #expect(fault?.description.contains("secret") == false)
  }

  @Test func `a property overrides the default`() {
    #expect(Self.fault(["session.timeout.ms": "30000", "security.protocol": "ssl"]) == nil)
  }

  @Test func `records larger than a fetch is by default can be allowed`() {
    #expect(Self.fault(["message.max.bytes": "6000000"]) == nil)
  }
}
