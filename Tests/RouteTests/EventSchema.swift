import Foundation

/// Checks a value against the part of JSON Schema that `schemas/events` uses; any other keyword is a problem.
struct EventSchema {
  private let root: [String: Any]

  init(type: String) throws {
    let path = URL(fileURLWithPath: #filePath).appending(path: "../../../schemas/events/\(type).json").standardized
    root = try JSONSerialization.jsonObject(with: try Data(contentsOf: path)) as? [String: Any] ?? [:]
  }

  func problems(of event: [String: Any]) -> [String] { problems(event, root, "event") }

  private func problems(_ value: Any, _ schema: [String: Any], _ path: String) -> [String] {
    schema.sorted { $0.key < $1.key }.flatMap { keyword, rule -> [String] in
      switch keyword {
      case "$schema", "$id", "$defs", "title", "description", "format", "additionalProperties", "then", "else": return []
      case "if":
        let condition = rule as? [String: Any] ?? [:]
        let branch = schema[problems(value, condition, path).isEmpty ? "then" : "else"] as? [String: Any]
        return branch.map { problems(value, $0, path) } ?? []
      case "dependentRequired":
        let members = value as? [String: Any] ?? [:]
        return (rule as? [String: [String]] ?? [:]).filter { members[$0.key] != nil }.flatMap(\.value).filter {
          members[$0] == nil
        }
        .map { "\(path).\($0): missing" }
      case "maxLength": return (value as? String)?.count ?? 0 > rule as? Int ?? 0 ? ["\(path): too long"] : []
      case "$ref":
        let name = (rule as? String)?.split(separator: "/").last.map(String.init) ?? ""
        let target = (root["$defs"] as? [String: Any])?[name] as? [String: Any]
        return target.map { problems(value, $0, path) } ?? ["\(path): \(name) is not defined"]
      case "type":
        let isOfType =
          switch rule as? String {
          case "object": value is [String: Any]
          case "string": value is String
          case "integer": (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } ?? false
          default: false
          }
        return isOfType ? [] : ["\(path): not of type \(rule)"]
      case "const": return "\(value)" == "\(rule)" ? [] : ["\(path): not \(rule)"]
      case "enum": return (rule as? [String])?.contains("\(value)") ?? false ? [] : ["\(path): \(value) is not listed"]
      case "minLength": return (value as? String)?.isEmpty ?? false ? ["\(path): empty"] : []
      case "minimum":
        return (value as? NSNumber)?.doubleValue ?? 0 >= (rule as? NSNumber)?.doubleValue ?? 0 ? [] : ["\(path): below \(rule)"]
      case "pattern":
        let isMatch = (value as? String)?.range(of: rule as? String ?? "", options: .regularExpression) != nil
        return isMatch ? [] : ["\(path): does not match"]
      case "required":
        let members = value as? [String: Any] ?? [:]
        return (rule as? [String] ?? []).filter { members[$0] == nil }.map { "\(path).\($0): missing" }
      case "properties":
        let rules = rule as? [String: Any] ?? [:]
        return (value as? [String: Any] ?? [:]).sorted { $0.key < $1.key }.flatMap { name, member -> [String] in
          if let rule = rules[name] as? [String: Any] { return problems(member, rule, "\(path).\(name)") }
          let isAllowed = rules[name] == nil && (schema["additionalProperties"] as? Bool) ?? true
          return isAllowed ? [] : ["\(path).\(name): not allowed"]
        }
      default: return ["\(path): the keyword \(keyword) is not checked"]
      }
    }
  }
}
