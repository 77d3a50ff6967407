import Foundation
import FuzzTargets

// libFuzzer's side of `FuzzTarget`; built by `scripts/fuzz` alone, whose libFuzzer brings `main`.

private let environment = ProcessInfo.processInfo.environment
private let name = environment["THROUGHLINE_FUZZ_TARGET"]
private let target = FuzzTarget.all.first { $0.name == name }

/// Writes the inputs to begin with, and the dictionary, where the script wants them; without a target it lists them and ends.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
  guard let target, let corpus = environment["THROUGHLINE_FUZZ_CORPUS"].map({ URL(filePath: $0) }) else {
    for target in FuzzTarget.all { print(target.name) }
    exit(0)
  }
  for (number, seed) in (target.seeds + target.regressions).enumerated() {
    try? Data(seed).write(to: corpus.appending(path: "seed-\(number)"))
  }
  let hex = Mutator.words.map { word in
    word.map { (byte: UInt8) in "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
  try? Data(hex.map { "\"\($0)\"\n" }.joined().utf8).write(to: corpus.appendingPathExtension("dict"))
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let broken = target?.check(Array(UnsafeBufferPointer(start: start, count: count))) ?? []
  guard broken.isEmpty else { fatalError("\(broken)") }
  return 0
}
