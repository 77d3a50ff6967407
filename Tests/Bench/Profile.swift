import Foundation

/// Where the time of one worker goes, by function and by statement.
struct Profile {
  let options: Options

  func run() async throws {
    let database = try Database(
      folder: options.folder,
      extra: [
        "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all", "pg_stat_statements.track_utility=on",
      ])
    defer { try? database.stop() }
    var load = Load(seed: options.seed, total: options.messages)
    let records = (0..<options.messages).map { _ in load.next() }
    let track = Track(
      database: database, template: try await database.template(messages: options.prefill), records: records,
      folder: options.folder)
    var worker: Int32 = 0
    let measured = try await track.run(
      Ingest.ours,
      recording: { url, _, _ in
        let name = url.split(separator: "/").last.map(String.init) ?? ""
        try await database.sql("CREATE EXTENSION pg_stat_statements", in: name)
        let rows = try await database.sql(
          """
          SELECT calls::text, round(total_exec_time)::text, round((total_exec_time / calls)::numeric, 2)::text, rows::text,
            left(regexp_replace(query, '\\s+', ' ', 'g'), 110)
          FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '\(name)' ORDER BY total_exec_time DESC LIMIT 40
          """, in: name)
        var table = Table("statement", "calls", "ms", "ms each", "rows")
        for row in rows { table.add(row[4] ?? "", row[0] ?? "", row[1] ?? "", row[2] ?? "", row[3] ?? "") }
        show("\nPostgreSQL by statement\n" + table.text)
      },
      profiling: { pid in
        worker = pid
        // Of all processors: attached to one process, perf spins when threads of it have ended.
        let recorder = try Competitor(
          ["/usr/bin/perf", "record", "-q", "-a", "-F", "997", "-g", "-o", "\(options.folder)/perf.data"],
          log: options.folder + "/logs/perf.log")
        return {
          try await recorder.stop()
        }
      })
    show("\(measured.recordsPerSecond.rounded(0)) records/s under the profiler")
    for (who, filter) in [("worker", ["--pid", "\(worker)"]), ("PostgreSQL", ["--comm", "postgres"])] {
      for (how, sort, count) in [("thread", "comm", 16), ("library", "dso", 16), ("function", "dso,sym", 70)] {
        let text = try bench.run(
          [
            "perf", "report", "-i", "\(options.folder)/perf.data", "--no-children", "-g", "none", "--stdio", "--percentage",
            "relative",
          ]
            + filter + ["--sort", sort])
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        show("\n\(who) by \(how)\n" + lines.prefix(count).map { String($0.prefix(150)) }.joined(separator: "\n"))
      }
    }
  }
}
