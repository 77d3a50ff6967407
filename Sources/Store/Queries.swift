import CSchemas
import Postgres

/// The SQL of `schemas/`, as the binary carries it.
public enum Queries {
  /// Path below `schemas/` and text of every embedded file, in the order of their names.
  public static let files: [(path: String, text: String)] = {
    // A constant of the binary; `schemas.h` states its length.
    let files = UnsafeBufferPointer(start: throughline_schema_files, count: Int(throughline_schema_file_count))
    return files.map { file in
      let bytes = UnsafeBufferPointer(start: file.bytes, count: Int(file.length))
      return (String(cString: file.path), String(decoding: bytes, as: UTF8.self))
    }
  }()

  /// What every connection that runs these statements sets. They are look-ups by index, for each row of a batch; a plan made from
  /// statistics that say "empty" would be kept when the tables fill, and one from a batch's values made anew for every batch. No key
  /// comes twice, so that nothing is worth remembering.
  public static let settings = [
    "jit = off", "enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "enable_memoize = off",
    "plan_cache_mode = force_generic_plan",
  ]

  private static let statements: [String: Statement] = Dictionary(
    uniqueKeysWithValues: files.compactMap { path, text in
      guard path.hasPrefix("queries/") else { return nil }
      let name = String(path.dropFirst("queries/".count).dropLast(".sql".count))
      return (name, Statement(name: name, sql: text))
    })

  /// Every statement, for the test that prepares them all.
  public static var all: [Statement] { statements.values.sorted { $0.name < $1.name } }

  static func named(_ name: String) -> Statement {
    guard let statement = statements[name] else { preconditionFailure("no schemas/queries/\(name).sql") }
    return statement
  }
}
