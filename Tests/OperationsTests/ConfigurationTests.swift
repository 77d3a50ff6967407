import Foundation
import Testing

@testable import Operations

@Suite struct ConfigurationTests {
  private let required = ["THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "THROUGHLINE_DATABASE_URL": "postgresql://db/x"]
  private let secret = String(repeating: "s3cr3t!", count: 6)

  private func problems(_ settings: Settings) -> [String] {
    do throws(Configuration.Problems) {
      _ = try Configuration(settings)
      return []
    } catch { return error.problems }
  }

  private func environment(_ more: [String: String]) -> [String: String] { required.merging(more) { $1 } }

  @Test func `defaults are enough but for the broker and the database`() throws {
    let configuration = try Configuration(environment: required)
    #expect(configuration.topicPrefix == "")
    #expect(configuration.consumerGroup == "throughline-ingest")
    #expect(configuration.routeConsumerGroup == "throughline-route")
    #expect(configuration.logLevel == .info)
    #expect(configuration.batchRecords == 1_000)
    #expect(configuration.httpListen == ListenAddress(host: "127.0.0.1", port: 0))
    #expect(configuration.tokenSecret == nil && configuration.routingPolicy == nil && configuration.kafkaProperties == [:])
    #expect(
      problems(Settings(environment: [:], standardFile: nil)) == [
        "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS is not set", "THROUGHLINE_DATABASE_URL is not set",
      ])
    #expect(throws: Never.self) {
      try Configuration(
        Settings(environment: ["THROUGHLINE_DATABASE_URL": "x"], standardFile: nil), requiring: [.databaseURL])
    }
  }

  @Test func `flags win over the environment, over credentials, over the file, over defaults`() throws {
    let folder = try Folder()
    let file = try folder.write(
      "throughline.yaml",
      """
      ---
      # Of everybody.
      batch_records: 5
      topic_prefix: file.
      consumer_group: "file"
      log_level: error
      database_url: file
      token_secret: \(secret)
      kafka_bootstrap_servers: file:9092
      """)
    try folder.write("database_url", "credential\n")
    try folder.write("token_secret", secret + "-credential\n")
    let settings = Settings(
      flags: [.batchRecords: "7", .logLevel: "debug"], file: file,
      environment: [
        "THROUGHLINE_BATCH_RECORDS": "6", "THROUGHLINE_CONSUMER_GROUP": "environment",
        "THROUGHLINE_TOKEN_SECRET": secret + "-env", "THROUGHLINE_CONFIG": "/not/read", "CREDENTIALS_DIRECTORY": folder.path,
      ])
    let configuration = try Configuration(settings)
    #expect(configuration.batchRecords == 7)
    #expect(configuration.logLevel == .debug)
    #expect(configuration.consumerGroup == "environment")
    #expect(configuration.tokenSecret == secret + "-env")
    #expect(configuration.databaseURL == "credential")
    #expect(configuration.topicPrefix == "file.")
    #expect(configuration.routeConsumerGroup == "throughline-route")
    #expect(
      settings.effective.map { "\($0.setting.rawValue)=\($0.value) <- \($0.source)" } == [
        "kafka_bootstrap_servers=file:9092 <- kafka_bootstrap_servers (\(file):9)",
        "kafka_properties= <- not set",
        "database_url=••• <- credential database_url",
        "topic_prefix=file. <- topic_prefix (\(file):4)",
        "consumer_group=environment <- THROUGHLINE_CONSUMER_GROUP",
        "route_consumer_group=throughline-route <- default",
        "log_level=debug <- --log-level",
        "batch_records=7 <- --batch-records",
        "http_listen=127.0.0.1:0 <- default",
        "token_secret=••• <- THROUGHLINE_TOKEN_SECRET",
        "routing_policy= <- not set",
        "own_mailboxes= <- not set",
        "form_relays= <- not set",
      ])
  }

  @Test func `all problems are reported at once, each with its source`() throws {
    let folder = try Folder()
    let file = try folder.write(
      "throughline.yaml",
      """
      kafka_bootstrap_servers: [a, b]
      batch_records: many
      topic_prefx: oops
      log_level:
      token_secret: short
      database_url_file: /not/there
      kafka_properties: {ssl.ca.location: [x]}
      topic_prefix_file: /etc/hostname
      """)
    let found = problems(
      Settings(
        environment: [
          "THROUGHLINE_CONFIG": file, "THROUGHLINE_TOPIC_PREFIX": "a b", "THROUGHLINE_LOG_LEVEL": "loud",
          "THROUGHLINE_CONSUMER_GROUP": "throughline-route", "THROUGHLINE_HTTP_LISTEN": "everywhere",
          "THROUGHLINE_ROUTING_POLICY": "/etc/\u{1b}[2J", "THROUGHLINE_OWN_MAILBOXES": "@shop.example, everybody",
        ]))
    #expect(
      found == [
        "kafka_bootstrap_servers (\(file):1) is not a single value",
        "\(file):3 has a name that is no setting: topic_prefx",
        "log_level (\(file):4) is not a single value",
        "kafka_properties (\(file):7) is not a single value",
        "\(file):8 has a name that is no setting: topic_prefix_file",
        "database_url_file can not be read: No such file or directory",
        "THROUGHLINE_ROUTING_POLICY has control characters",
        "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS is not set",
        "THROUGHLINE_DATABASE_URL is not set",
        "THROUGHLINE_TOPIC_PREFIX has characters that topics can not have: letters, digits, '.', '_' and '-' only",
        "THROUGHLINE_CONSUMER_GROUP is the group of the other worker, too",
        "THROUGHLINE_LOG_LEVEL is none of trace, debug, info, notice, warning, error, critical",
        "batch_records (\(file):2) is not a whole number from 1 to 10000",
        "THROUGHLINE_HTTP_LISTEN is neither an address and port, like 127.0.0.1:9801 or [::1]:9801, nor off",
        "token_secret (\(file):5) is shorter than 32 bytes",
        "THROUGHLINE_OWN_MAILBOXES has an entry that is neither an address nor @domain",
      ])
  }

  /// Secrets where they belong, where they do not, and in files that do not parse.
  @Test(arguments: [
    "database_url: SECRET\ntoken_secret: SECRET\nkafka_properties: SECRET\n", "SECRET: 1", "- SECRET", "SECRET", "a: b: SECRET",
    "database_url: \"SECRET", "database_url: [SECRET]", "log_level: SECRET", "batch_records: SECRET", "http_listen: SECRET",
    "topic_prefix: SECRET SECRET", "database_url_file: /SECRET", "SECRET: 1\nSECRET: 2", "x: *SECRET", "x: !!SECRET y",
    "kafka_properties: {SECRET: [x]}", "database_url: \"SECRET\\u0007\"", "--- SECRET\n--- SECRET", "? {SECRET: 1}\n: 2",
    "database_url:SECRET\ntopic_prefix: x",
  ])
  func `a secret is never printed`(text: String) throws {
    let folder = try Folder()
    let secret = "postgresql://u:hunter2@db"
    let file = try folder.write("throughline.yaml", text.replacing("SECRET", with: secret))
    let settings = Settings(environment: environment(["THROUGHLINE_CONFIG": file]))
    let shown = problems(settings).joined() + settings.effective.filter(\.setting.isSecret).map(\.value).joined()
    #expect(!shown.contains("hunter2"))
    #expect(!problems(settings).isEmpty || settings.effective.contains { $0.value == "•••" })
  }

  @Test func `a value is not repeated from the environment either`() {
    let values = Dictionary(uniqueKeysWithValues: Setting.allCases.map { ($0.variable, "hunter2 \u{7}") })
    let settings = Settings(environment: values, standardFile: nil)
    #expect(problems(settings).count > Setting.allCases.count)
    #expect(!problems(settings).joined().contains("hunter2"))
    #expect(!settings.effective.filter(\.setting.isSecret).contains { $0.value.contains("hunter2") })
    // What is shown is safe on a terminal.
    #expect(!settings.effective.contains { $0.value.contains("\u{7}") })
  }

  @Test(arguments: [("\n", ""), ("\r\n", ""), ("\n\n", "\n"), ("", ""), (" \n", " ")])
  func `the newline that ends a secret's file is not part of it`(end: String, rest: String) throws {
    let folder = try Folder()
    let path = try folder.write("secret", secret + end)
    let settings = Settings(environment: environment(["THROUGHLINE_TOKEN_SECRET_FILE": path]), standardFile: nil)
    #expect(settings.values[.tokenSecret]?.text == secret + rest)
    #expect(settings.values[.tokenSecret]?.source == "THROUGHLINE_TOKEN_SECRET_FILE")
  }

  @Test func `a secret and its file are not both set, and only secrets have files`() throws {
    let folder = try Folder()
    let path = try folder.write("secret", secret)
    let both = environment(["THROUGHLINE_DATABASE_URL_FILE": path, "THROUGHLINE_TOPIC_PREFIX_FILE": path])
    let settings = Settings(environment: both, standardFile: nil)
    #expect(problems(settings) == ["THROUGHLINE_DATABASE_URL and THROUGHLINE_DATABASE_URL_FILE are both set"])
    let configuration = try Configuration(environment: environment(["THROUGHLINE_TOPIC_PREFIX_FILE": path]))
    #expect(configuration.topicPrefix == "")
  }

  @Test func `files of secrets that are too long, not text or not there are problems`() throws {
    let folder = try Folder()
    let long = try folder.write("long", String(repeating: "x", count: FileText.maximumBytes + 1))
    try Data([0xff, 0xfe]).write(to: URL(filePath: folder.path + "/binary"))
    func problem(_ path: String) -> [String] {
      problems(Settings(environment: environment(["THROUGHLINE_TOKEN_SECRET_FILE": path]), standardFile: nil))
    }
    #expect(problem(long) == ["THROUGHLINE_TOKEN_SECRET_FILE can not be read: longer than 262144 bytes"])
    #expect(problem(folder.path + "/binary") == ["THROUGHLINE_TOKEN_SECRET_FILE can not be read: not UTF-8"])
    #expect(problem("/not/there") == ["THROUGHLINE_TOKEN_SECRET_FILE can not be read: No such file or directory"])
  }

  @Test(arguments: ["", "\n"]) func `an empty credential says nothing`(text: String) throws {
    let folder = try Folder()
    try folder.write("token_secret", text)
    let settings = Settings(environment: environment(["CREDENTIALS_DIRECTORY": folder.path]), standardFile: nil)
    #expect(try Configuration(settings).tokenSecret == nil)
  }

  @Test func `a file that was named must be there, the standard one need not`() throws {
    let folder = try Folder()
    let missing = folder.path + "/throughline.yaml"
    #expect(problems(Settings(environment: required, standardFile: missing)) == [])
    #expect(
      problems(Settings(file: missing, environment: required)) == ["--config can not be read: No such file or directory"])
    #expect(
      problems(Settings(environment: environment(["THROUGHLINE_CONFIG": missing]), standardFile: nil))
        == ["THROUGHLINE_CONFIG can not be read: No such file or directory"])
    try folder.write("throughline.yaml", "topic_prefix: standard.\n")
    #expect(try Configuration(Settings(environment: required, standardFile: missing)).topicPrefix == "standard.")
    #expect(
      problems(Settings(environment: required, standardFile: folder.path))
        == ["\(folder.path) can not be read: Is a directory"])
  }

  @Test(arguments: ["", "---\n", "# nothing\n", "--- ~\n"])
  func `a file without settings is a file`(text: String) throws {
    let folder = try Folder()
    let file = try folder.write("throughline.yaml", text)
    #expect(problems(Settings(file: file, environment: required)) == [])
  }

  @Test(arguments: [
    String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 50_000), "a: &a [*a]", "\u{0}",
    "%YAML 9.9\n---\na: 1", "? &k [a]\n: *k\n*k : 1",
  ])
  func `no file traps`(text: String) throws {
    let folder = try Folder()
    let file = try folder.write("throughline.yaml", text)
    #expect(!problems(Settings(file: file, environment: required)).isEmpty)
  }

  @Test func `properties of librdkafka come as text, as a mapping or one a line`() throws {
    let expected = ["sasl.password": "a=b", "security.protocol": "SASL_SSL"]
    let folder = try Folder()
    let lines = try folder.write("properties", "security.protocol=SASL_SSL\nsasl.password=a=b\n")
    let file = try folder.write("t.yaml", "kafka_properties:\n  security.protocol: SASL_SSL\n  sasl.password: \"a;b\"\n")
    let text = "security.protocol=SASL_SSL;sasl.password=a=b"
    for source in ["THROUGHLINE_KAFKA_PROPERTIES": text, "THROUGHLINE_KAFKA_PROPERTIES_FILE": lines] {
      let configuration = try Configuration(environment: environment([source.key: source.value]))
      #expect(configuration.kafkaProperties == expected)
    }
    #expect(
      try Configuration(Settings(file: file, environment: required)).kafkaProperties
        == ["security.protocol": "SASL_SSL", "sasl.password": "a;b"])
    #expect(
      problems(Settings(environment: environment(["THROUGHLINE_KAFKA_PROPERTIES": "a=b;c"]), standardFile: nil))
        == ["THROUGHLINE_KAFKA_PROPERTIES has an entry without '='"])
  }

  @Test(
    arguments: [
      ("127.0.0.1:9801", "127.0.0.1:9801"), ("localhost:0", "127.0.0.1:0"), ("[::1]:80", "[::1]:80"),
      ("0.0.0.0:9800+12", "0.0.0.0:9812"), ("127.0.0.1:65535+1", nil), ("127.0.0.1:65536", nil), ("127.0.0.1", nil),
      (":9801", nil),
      ("host:9801", nil), ("1.2.3:9801", nil), ("999.0.0.1:9801", nil), ("[1.2.3.4]:9801", nil), ("::1:9801", nil),
      ("127.0.0.1:-1", nil), ("127.0.0.1:9801 ", nil),
    ] as [(String, String?)])
  func `an address to listen on is an address and a port`(text: String, expected: String?) {
    #expect(ListenAddress(text)?.description == expected)
  }

  @Test func `HTTP can be off`() throws {
    #expect(try Configuration(environment: environment(["THROUGHLINE_HTTP_LISTEN": "off"])).httpListen == nil)
  }

  @Test func `the example in deploy is a configuration, and names every setting`() throws {
    let path = Repository.root.appending(path: "deploy/throughline.yaml").path
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(problems(Settings(file: path, environment: required)) == [])
    for setting in Setting.allCases {
      #expect(text.contains(setting.rawValue + ":") || text.contains(setting.rawValue + "_file:"))
    }
    // What is commented out is right, too, but for the files that a secret may come from instead.
    let whole = text.split(separator: "\n").map { $0.replacing(#/^#(?=[a-z_]+:|  [a-z.]+: )/#, with: "") }
    let folder = try Folder()
    let file = try folder.write("t.yaml", whole.filter { !$0.contains("_file: ") }.joined(separator: "\n"))
    #expect(problems(Settings(file: file, environment: required)) == [])
  }
}
