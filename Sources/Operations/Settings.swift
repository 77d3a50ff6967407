import Glibc

/// What the sources say, before it is judged: flags over the environment over credentials over the file over defaults.
///
/// A value is text and where it comes from; texts of problems never repeat values, they may be secrets.
public struct Settings: Sendable {
  public static let standardFile = "/etc/throughline/throughline.yaml"

  /// A setting as it stands after all sources, fit to be shown.
  public struct Effective: Sendable, Equatable {
    public var setting: Setting
    /// `•••` for a secret, empty where nothing is set.
    public var value: String
    public var source: String
  }

  struct Value: Sendable {
    var text: String
    /// Of a mapping in the file.
    var pairs: [String: String]?
    var source: String
  }

  private(set) var values: [Setting: Value] = [:]
  /// What is wrong with the sources themselves: files that can not be read, unknown names, wrong types.
  public private(set) var problems: [String] = []

  /// - Parameters:
  ///   - file: The flag `--config`; else `THROUGHLINE_CONFIG`, else `standardFile` where it exists.
  ///   - standardFile: Nil reads no file that nobody named.
  public init(
    flags: [Setting: String] = [:], file: String? = nil, environment: [String: String],
    standardFile: String? = Settings.standardFile
  ) {
    let named = file ?? environment["THROUGHLINE_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
    var content = SettingsFile()
    if let path = named ?? standardFile {
      switch FileText.read(path) {
      case .success(let text): content = SettingsFile(path: path, text: text)
      case .failure(let fault) where named == nil && fault.isMissing: break
      case .failure(let fault):
        content.problems.append("\(file != nil ? "--config" : named != nil ? "THROUGHLINE_CONFIG" : path) \(fault)")
      }
    }
    problems = content.problems
    for setting in Setting.allCases {
      values[setting] =
        flags[setting].map { Value(text: $0, source: setting.flag) }
        ?? value(setting, environment[setting.variable], environment[setting.variable + "_FILE"], setting.variable, "_FILE")
        ?? credential(setting, environment["CREDENTIALS_DIRECTORY"])
        ?? value(setting, of: content)
        ?? setting.standard.map { Value(text: $0, source: "default") }
      if let value = values[setting], value.hasControlCharacters(setting) {
        problems.append("\(value.source) has control characters")
      }
    }
  }

  /// Every setting with its value and source, in the order of the names.
  public var effective: [Effective] {
    Setting.allCases.map { setting in
      guard let value = values[setting] else { return Effective(setting: setting, value: "", source: "not set") }
      return Effective(setting: setting, value: setting.isSecret ? "•••" : LogText.escaped(value.text), source: value.source)
    }
  }

  private mutating func value(_ setting: Setting, of file: SettingsFile) -> Value? {
    let direct = file.entries[setting.rawValue]
    let path = file.entries[setting.rawValue + "_file"]
    guard var value = value(setting, direct?.text, path?.text, setting.rawValue, "_file") else { return nil }
    value.pairs = direct?.pairs
    value.source += " (\(file.path):\((direct ?? path)?.line ?? 0))"
    return value
  }

  /// What one source says itself, or in the file that it names.
  private mutating func value(
    _ setting: Setting, _ direct: String?, _ path: String?, _ name: String, _ suffix: String
  ) -> Value? {
    if direct != nil && path != nil && setting.isSecret { problems.append("\(name) and \(name)\(suffix) are both set") }
    if let direct { return Value(text: direct, source: name) }
    guard setting.isSecret, let path, !path.isEmpty else { return nil }
    switch FileText.read(path) {
    case .success(let text): return Value(text: FileText.withoutLastNewline(text), source: name + suffix)
    case .failure(let fault):
      problems.append("\(name)\(suffix) \(fault)")
      return nil
    }
  }

  /// What systemd's `LoadCredential=` left for this process; an empty one is a default of the unit, and says nothing.
  private mutating func credential(_ setting: Setting, _ directory: String?) -> Value? {
    guard setting.isSecret, let directory else { return nil }
    switch FileText.read("\(directory)/\(setting.rawValue)") {
    case .success(let text):
      let text = FileText.withoutLastNewline(text)
      return text.isEmpty ? nil : Value(text: text, source: "credential \(setting.rawValue)")
    case .failure(let fault):
      if !fault.isMissing { problems.append("credential \(setting.rawValue) \(fault)") }
      return nil
    }
  }
}

extension Settings.Value {
  fileprivate func hasControlCharacters(_ setting: Setting) -> Bool {
    ([text] + (pairs.map { Array($0.keys) + Array($0.values) } ?? [])).contains { text in
      // A file of properties has one a line.
      text.utf8.contains { $0 < 0x20 && !($0 == 0x0a && setting == .kafkaProperties) || $0 == 0x7f }
    }
  }
}

/// Reads the small files that operators write.
enum FileText {
  static let maximumBytes = 256 << 10

  enum Fault: Error, CustomStringConvertible {
    case system(Int32)
    case tooLong
    case notText

    var isMissing: Bool { if case .system(ENOENT) = self { true } else { false } }
    var description: String {
      switch self {
      case .system(let code): "can not be read: \(String(cString: strerror(code)))"
      case .tooLong: "can not be read: longer than \(FileText.maximumBytes) bytes"
      case .notText: "can not be read: not UTF-8"
      }
    }
  }

  static func read(_ path: String) -> Result<String, Fault> {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return .failure(.system(errno)) }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var count = 0
    while count < bytes.count {
      let read = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
      if read < 0 && errno == EINTR { continue }
      guard read >= 0 else { return .failure(.system(errno)) }
      if read == 0 { break }
      count += read
    }
    guard count <= maximumBytes else { return .failure(.tooLong) }
    return String(validating: bytes[..<count], as: UTF8.self).map { .success($0) } ?? .failure(.notText)
  }

  /// Editors and `echo` end a secret with a newline that is not part of it.
  static func withoutLastNewline(_ text: String) -> String {
    text.last?.isNewline == true ? String(text.dropLast()) : text
  }
}
