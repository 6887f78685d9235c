import Foundation
import Testing

import OctNet

/// A file of tensors that Tools/fixtures made with PyTorch.
struct Fixture {
  private let entries: [String: SafetensorsFile.Entry]
  private let order: [String]
  let metadata: [String: String]

  init(_ name: String) throws {
    let file = try SafetensorsFile(path: Self.path(name))
    metadata = file.metadata
    order = file.entries.map(\.name)
    entries = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0) })
  }

  static func path(_ name: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Fixtures").appendingPathComponent(name).path
  }

  /// Names of the cases `<prefix>/<case>/<tensor>`.
  func cases(_ prefix: String) -> [String] {
    let names = order.filter { $0.hasPrefix(prefix + "/") }.map { name in
      name.split(separator: "/").dropLast().joined(separator: "/")
    }
    return Set(names).sorted()
  }

  /// Names of the tensors of a case.
  func tensors(of name: String) -> [String] {
    order.filter { $0.hasPrefix(name + "/") }.map { String($0.dropFirst(name.count + 1)) }
  }

  /// The list of settings in the metadata, whose keys are Python's.
  func list<Element: Decodable>(_ key: String) throws -> [Element] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode([Element].self, from: Data(metadata[key, default: ""].utf8))
  }

  func has(_ name: String) -> Bool { entries[name] != nil }

  private func entry(_ name: String) throws -> SafetensorsFile.Entry {
    try #require(entries[name], "the fixture has no tensor \(name)")
  }

  func shape(_ name: String) throws -> [Int] { try entry(name).shape }
  func floats(_ name: String) throws -> [Float] { try entry(name).floats() }
  func integers(_ name: String) throws -> [Int] { try floats(name).map { Int($0) } }

  /// A stored [n, c, h, w] in the kernels' [n, h, w, c].
  func nhwc(_ name: String) throws -> [Float] { toNHWC(try floats(name), try shape(name)) }
}

/// [n, c, h, w] → [n, h, w, c].
func toNHWC(_ values: [Float], _ shape: [Int]) -> [Float] {
  precondition(shape.count == 4 && values.count == shape.reduce(1, *))
  let (channels, pixels) = (shape[1], shape[2] * shape[3])
  var result = [Float](repeating: 0, count: values.count)
  for image in 0..<shape[0] {
    let base = image * channels * pixels
    for channel in 0..<channels {
      for pixel in 0..<pixels {
        result[base + pixel * channels + channel] = values[base + channel * pixels + pixel]
      }
    }
  }
  return result
}

/// ‖a − b‖ / ‖b‖; infinite where the counts differ or a value is not a number.
func normalizedError(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .infinity }
  var difference = 0.0
  var size = 0.0
  for index in a.indices {
    let d = Double(a[index]) - Double(b[index])
    difference += d * d
    size += Double(b[index]) * Double(b[index])
  }
  guard !difference.isNaN else { return .infinity }
  if size == 0 { return difference == 0 ? 0 : .infinity }
  return (difference / size).squareRoot()
}

/// Expects a normalised error of at most `tolerance`.
func expectClose(
  _ actual: [Float], _ expected: [Float], within tolerance: Double, _ label: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let error = normalizedError(actual, expected)
  ErrorLog.note(error, label)
  #expect(
    error <= tolerance, "\(label): normalised error \(error), \(actual.count) values",
    sourceLocation: sourceLocation)
}
