import ArgumentParser
import Engine
import Workers

struct Route: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Assign waiting conversations to agents.",
    discussion: """
      Start as many as you like: they share the tenants, and take over from each other. SIGHUP reads the routing policy again; one with
      problems never replaces a good one. SIGTERM hands everything back.
      """)
  @OptionGroup var options: SettingsOptions

  func run() async throws {
    let configuration = try options.configuration()
    let policy = try policy(configuration.routingPolicy)
    let surroundings = Surroundings(service: "throughline-route", level: configuration.logLevel)
    let worker = RouteWorker(configuration, policy: policy, surroundings)
    let logger = surroundings.logger
    try await surroundings.run(worker, configuration) {
      do throws(RoutingPolicyFile.Problems) {
        worker.adopt(try routingPolicy(configuration.routingPolicy))
        logger.notice("routing policy read again", metadata: ["event.action": "policy_reloaded"])
      } catch {
        for problem in error.list {
          logger.error("routing policy kept: \(problem)", metadata: ["event.action": "policy_refused"])
        }
      }
    }
  }

  private func policy(_ path: String?) throws -> RoutingPolicy {
    do { return try routingPolicy(path) } catch { throw SettingsOptions.exit(naming: error.list) }
  }
}
