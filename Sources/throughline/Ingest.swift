import ArgumentParser
import Workers

struct Ingest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Consume the channel topics and write customers, conversations and messages.",
    discussion: """
      Start as many as you like: they share the work. Every setting of `throughline config show` can be given in the environment
      (THROUGHLINE_DATABASE_URL …) or in a file. SIGTERM finishes the batch in flight and hands everything back.
      """)
  @OptionGroup var options: SettingsOptions

  func run() async throws {
    let configuration = try options.configuration()
    let surroundings = Surroundings(service: "throughline-ingest", level: configuration.logLevel)
    if configuration.tokenSecret == nil {
      surroundings.logger.notice("nothing to sign links with: agents can not invite", metadata: ["event.action": "links_off"])
    }
    try await surroundings.run(IngestWorker(configuration, surroundings), configuration)
  }
}
