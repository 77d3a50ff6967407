import ArgumentParser
import Foundation
import Logging
import Operations

/// The command line.
///
/// Exit codes: 0 done, 1 failed, 64 wrong usage, 78 wrong configuration.
@main
struct Throughline: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "throughline",
    abstract: "One conversation per customer issue, whatever the channel.",
    subcommands: [Ingest.self, Migrate.self, Dev.self])
}

/// Lines for a person where a person is at the terminal, JSON for everybody else.
func makeLogger(_ label: String, level: Logger.Level, service: String, instance: String, to descriptor: Int32 = 1) -> Logger {
  // Who reads our lines may go away; that is no reason to end.
  signal(SIGPIPE, SIG_IGN)
  let sink = descriptor == 1 ? LogSink.standardOutput : LogSink.standardError
  return Logger(label: label) { _ in
    guard isatty(descriptor) == 1 else {
      return JSONLogHandler(level: level, service: service, instance: instance, sink: sink)
    }
    return TerminalLogHandler(level: level, sink: sink)
  }
}

/// The configuration of this process, or an exit that names every problem.
func loadConfiguration() throws -> Operations.Configuration {
  do {
    return try Operations.Configuration(environment: ProcessInfo.processInfo.environment)
  } catch {
    for problem in error.problems { FileHandle.standardError.write(Data("throughline: \(problem)\n".utf8)) }
    throw ExitCode(78)
  }
}

/// Host, process and a random part: unique among all workers.
func instanceName() -> String {
  "\(ProcessInfo.processInfo.hostName)-\(getpid())-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
}
