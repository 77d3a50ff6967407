import ArgumentParser
import Foundation
import Operations

/// The settings that may stand on a command line: secrets may not, everybody on the machine can read it.
struct SettingsOptions: ParsableArguments {
  @Option(help: "The file with settings; without it THROUGHLINE_CONFIG, else \(Settings.standardFile) where it exists.")
  var config: String?
  @Option(help: "Where Kafka is: host:port, separated by commas.") var kafkaBootstrapServers: String?
  @Option(help: "In front of every topic's name.") var topicPrefix: String?
  @Option(help: "trace, debug, info, notice, warning, error or critical.") var logLevel: String?
  @Option(help: "Where /livez, /readyz and /metrics are served: host:port, or off.") var httpListen: String?
  @Option(help: "The file with the routing policy.") var routingPolicy: String?
  @Option(help: "What people of ours write mail from: addresses and @domains, separated by commas.") var ownMailboxes: String?
  @Option(help: "What contact forms send mail from: who wrote is in Reply-To.") var formRelays: String?

  var settings: Settings {
    let flags: [Setting: String?] = [
      .kafkaBootstrapServers: kafkaBootstrapServers, .topicPrefix: topicPrefix, .logLevel: logLevel, .httpListen: httpListen,
      .routingPolicy: routingPolicy, .ownMailboxes: ownMailboxes, .formRelays: formRelays,
    ]
    return Settings(flags: flags.compactMapValues { $0 }, file: config, environment: ProcessInfo.processInfo.environment)
  }

  /// The configuration of this process, or an exit that names every problem.
  func configuration(requiring required: Set<Setting> = Configuration.required) throws -> Configuration {
    do {
      return try Configuration(settings, requiring: required)
    } catch {
      throw Self.exit(naming: error.problems)
    }
  }

  static func exit(naming problems: [String]) -> ExitCode {
    // In a journal every line is one of the log's.
    guard isatty(2) == 0, ProcessInfo.processInfo.environment["JOURNAL_STREAM"] != nil else {
      for problem in problems { FileHandle.standardError.write(Data("throughline: \(problem)\n".utf8)) }
      return ExitCode(78)
    }
    let logger = Surroundings(service: "throughline", level: .info, to: 2).logger
    for problem in problems { logger.critical("\(problem)", metadata: ["event.action": "wrong_configuration"]) }
    return ExitCode(78)
  }
}
