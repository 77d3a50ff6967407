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
        let backends = try bench.run([
          "sh", "-c", "ps -eo pid,args | awk '/postgres: throughline run/ && !/awk/ {print $1}' | paste -sd,",
        ])
        .trimmingCharacters(in: .whitespacesAndNewlines)
        let recorders = try [("worker", "\(pid)"), ("postgres", backends)].map { name, pids in
          try Competitor(
            ["/usr/bin/perf", "record", "-q", "-F", "997", "-g", "-p", pids, "-o", "\(options.folder)/perf.\(name)"],
            environment: [:],
            log: options.folder + "/logs/perf.log")
        }
        return {
          for recorder in recorders {
            kill(recorder.pid, SIGTERM)
            recorder.wait()
          }
        }
      })
    show("\(measured.recordsPerSecond.rounded(0)) records/s under the profiler")
    for name in ["worker", "postgres"] {
      for (title, more) in [
        ("by thread or process", ["--sort", "comm"]), ("by library", ["--sort", "comm,dso"]),
        ("by function", ["--sort", "dso,sym"]),
      ] {
        let text = try bench.run(
          ["perf", "report", "-i", "\(options.folder)/perf.\(name)", "--no-children", "-g", "none", "--stdio", "-w", "0,24,120"]
            + more)
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        show("\n\(name), \(title)\n" + lines.prefix(title == "by function" ? 60 : 14).joined(separator: "\n"))
      }
    }
  }
}
