import Postgres
import Store

/// One throwaway PostgreSQL for the whole test process; it ends with the process.
public enum TestServer {
  private static let starting = Task { () throws -> (server: ThrowawayServer, template: String) in
    let server = try await ThrowawayServer(options: "-c fsync=off -c max_connections=300")
    let template = try await create("throughline_template", from: "template0", on: server)
    let db = PostgresConnection(url: template, applicationName: "template")
    _ = try await db.perform({ db throws(Migrations.Fault) in try Migrations.apply(on: db) }, mapping: { .postgres($0) })
    await db.close()
    return (server, template)
  }

  public static func running() async throws -> ThrowawayServer { try await starting.value.server }

  fileprivate static func create(_ name: String, from template: String, on server: ThrowawayServer) async throws -> String {
    let db = PostgresConnection(url: server.url, applicationName: "create-database")
    try await db.perform { db throws(PostgresFault) in try db.execute("CREATE DATABASE \(name) TEMPLATE \(template)") }
    await db.close()
    return server.url.dropLast("postgres".count) + name
  }
}

/// A database of its own for one test.
public enum TestDatabase {
  /// The URL of a fresh database, migrated unless `isEmpty`.
  public static func make(isEmpty: Bool = false) async throws -> String {
    let server = try await TestServer.running()
    let name = "test_" + String(UInt64.random(in: 0 ... .max), radix: 36)
    return try await TestServer.create(name, from: isEmpty ? "template0" : "throughline_template", on: server)
  }
}
