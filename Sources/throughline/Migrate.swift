import ArgumentParser
import Foundation
import Operations
import Postgres
import Store

struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring the database's schema up to date (THROUGHLINE_DATABASE_URL).",
    discussion: "Safe at any time, by any number of processes at once.")

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    let url = try options.configuration(requiring: [.databaseURL]).databaseURL
    let logger = Surroundings(service: "throughline-migrate", level: .info).logger
    do {
      let applied = try await migrate(url)
      for name in applied { logger.info("applied \(name)", metadata: ["event.action": "migrated"]) }
      if applied.isEmpty { logger.info("up to date", metadata: ["event.action": "up_to_date"]) }
    } catch {
      logger.critical("not migrated: \(error)", metadata: ["event.action": "failed"])
      throw ExitCode.failure
    }
  }
}

/// Applies what is missing; returns the names.
func migrate(_ url: String) async throws -> [String] {
  let db = PostgresConnection(
    // A migrator that stands still does not keep the others for ever.
    url: url, applicationName: "throughline-migrate",
    settings: ["lock_timeout = '2min'", "idle_in_transaction_session_timeout = '1min'"])
  let applied = try await db.perform(
    { db throws(Migrations.Fault) in try Migrations.apply(on: db) }, mapping: { .postgres($0) })
  await db.close()
  return applied
}
