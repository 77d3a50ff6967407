import ArgumentParser
import Foundation
import Operations

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What the workers' settings are and where they come from.", subcommands: [Check.self, Show.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Name every problem of the settings and of the routing policy; exits with 78 when there is one.")
    @OptionGroup var options: SettingsOptions

    func run() throws {
      var problems: [String] = []
      var policy: String?
      do { policy = try Configuration(options.settings).routingPolicy } catch { problems += error.problems }
      do { _ = try routingPolicy(policy) } catch { problems += error.list }
      guard problems.isEmpty else { throw SettingsOptions.exit(naming: problems) }
      print("no problems")
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the settings that hold; secrets are masked.")
    @OptionGroup var options: SettingsOptions
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
      let settings = options.settings.effective
      if json {
        let object = Dictionary(
          uniqueKeysWithValues: settings.map { ($0.setting.rawValue, ["value": $0.value, "source": $0.source]) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(object), as: UTF8.self))
      } else {
        let width = settings.map(\.setting.rawValue.count).max() ?? 0
        for one in settings {
          print(one.setting.rawValue.padding(toLength: width + 2, withPad: " ", startingAt: 0) + one.value + "  (\(one.source))")
        }
      }
    }
  }
}
