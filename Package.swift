// swift-tools-version: 6.1
import PackageDescription

// Built for `scripts/fuzz` alone: without libFuzzer it has no `main`.
let isFuzzing = Context.environment["THROUGHLINE_FUZZING"] != nil

let package = Package(
  name: "throughline",
  products: [.executable(name: "throughline", targets: ["throughline"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    // C libraries: module maps and thin shims, no decisions.
    .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
    .systemLibrary(name: "CXML", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .systemLibrary(name: "CIDN2", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "CText",
      linkerSettings: [.linkedLibrary("phonenumber"), .linkedLibrary("cld2"), .linkedLibrary("simdjson")]),
    .target(
      name: "CSchemas", path: "schemas",
      exclude: ["README.md"], sources: ["embedded.c"], publicHeadersPath: "include"),

    // The core: values in, values out.
    .target(name: "Canonical"),
    .target(name: "Parsing", dependencies: ["CGMime", "CText", "CXML", "CIDN2", "CCrypto"]),
    .target(name: "Channels", dependencies: ["Canonical", "Parsing"]),
    .target(name: "Engine", dependencies: ["Canonical"]),

    // The shell: one owner per handle, no business rules.
    .target(name: "Blocking"),
    .target(
      name: "Kafka", dependencies: ["CRdKafka", "Blocking", .product(name: "Logging", package: "swift-log")]),
    .target(
      name: "Postgres", dependencies: ["CPostgres", "Blocking"]),
    .target(
      name: "Store",
      dependencies: ["Engine", "Canonical", "Postgres", "CSchemas"]),
    .target(
      name: "Workers",
      dependencies: [
        "Canonical", "Engine", "Store", "Channels", "Kafka", "Postgres",
        .product(name: "Logging", package: "swift-log"), .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Operations",
      dependencies: [
        .product(name: "Logging", package: "swift-log"), .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "Yams", package: "Yams"), .product(name: "FlyingFox", package: "FlyingFox"),
      ]),
    .target(
      name: "Demo",
      dependencies: ["Canonical", "Kafka", "Store", "Postgres", .product(name: "Logging", package: "swift-log")]),
    .executableTarget(
      name: "throughline",
      dependencies: [
        "Workers", "Demo", "Store", "Channels", "Kafka", "Postgres", "Canonical", "Operations",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      // Takes malloc's place for all that the process loads.
      linkerSettings: [.linkedLibrary("jemalloc")]),

    .target(name: "TestSupport", dependencies: ["Canonical", "Postgres", "Store", "Kafka"], path: "Tests/TestSupport"),
    .target(
      name: "FuzzTargets", dependencies: ["Channels", "Canonical", "Parsing"], path: "Tests/FuzzTargets", exclude: ["Regressions"]
    ),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "Channels", "Canonical"]),
    .target(
      name: "Rig",
      dependencies: [
        "Canonical", "Channels", "Engine", "Kafka", "Postgres", "Store", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
      ], path: "Tests/Rig"),
    .executableTarget(
      name: "chaos",
      dependencies: ["Rig", "Canonical", .product(name: "ArgumentParser", package: "swift-argument-parser")], path: "Tests/Chaos"),
    .testTarget(name: "KafkaTests", dependencies: ["Kafka", .product(name: "Logging", package: "swift-log")]),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres", "Store", "Canonical", "Engine", "TestSupport"]),
    .testTarget(name: "ParsingTests", dependencies: ["Parsing"]),
    .testTarget(
      name: "ChannelsTests", dependencies: ["Channels", "Canonical", "Parsing", "FuzzTargets"], resources: [.copy("Samples")]),
    .testTarget(name: "EngineTests", dependencies: ["Engine", "Canonical", "Workers", "Store", "Postgres", "Kafka", "CRdKafka"]),
    .testTarget(
      name: "IngestTests",
      dependencies: [
        "throughline", "Workers", "Store", "Engine", "Channels", "Kafka", "Postgres", "Canonical", "Operations", "TestSupport",
        "Rig", "CRdKafka",
      ]),
    .testTarget(
      name: "OperationsTests",
      dependencies: [
        "Operations", .product(name: "Logging", package: "swift-log"), .product(name: "CoreMetrics", package: "swift-metrics"),
      ]),
    .testTarget(
      name: "RouteTests",
      dependencies: [
        "Workers", "Store", "Engine", "Channels", "Kafka", "Postgres", "Canonical", "Rig", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(
      name: "DemoTests", dependencies: ["Demo", "Channels", "Canonical", "Workers", "Store", "Postgres", "TestSupport"]),
    .testTarget(name: "TidyTests"),

    // scripts/bench.
    .target(name: "Allocations", path: "Tests/Bench/Allocations"),
    .executableTarget(
      name: "bench",
      dependencies: [
        "Allocations", "Canonical", "Channels", "Engine", "Kafka", "Postgres", "Store",
        .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/Bench", exclude: ["Allocations", "python", "README.md"]),
  ]
    + (isFuzzing
      ? [
        .executableTarget(
          name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz", swiftSettings: [.unsafeFlags(["-parse-as-library"])])
      ] : []),
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c2x,
  cxxLanguageStandard: .cxx17
)
