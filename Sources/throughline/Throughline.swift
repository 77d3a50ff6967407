import ArgumentParser

/// The command line.
///
/// Exit codes: 0 done, 1 failed in whole or in part, 64 wrong usage, 78 wrong configuration.
@main
struct Throughline: AsyncParsableCommand {
  static let version = "0.2.0"

  static let configuration = CommandConfiguration(
    commandName: "throughline",
    abstract: "One conversation per customer issue, whatever the channel, in front of the right agent.",
    version: version,
    subcommands: [
      Ingest.self, Route.self, Migrate.self, FormatsCommand.self, Normalize.self, Publish.self, DeadLetterCommands.self, Dev.self,
      Config.self,
    ])
}
