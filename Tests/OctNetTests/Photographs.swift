import Foundation
import OctNet

/// Images of many sizes, some of which cannot be read, that take different times; counts how many are decoded at a time.
///
/// Unchecked: the counters are only touched under the lock.
final class Photographs: Dataset, @unchecked Sendable {
  let name = "photographs"
  let count: Int
  let height = 6
  let width = 6
  let channels = 3
  let classNames = ["red", "green", "blue", "grey"]
  let hasPhotographs = true
  let skipsDamaged: Bool
  let damaged: Set<Int>

  private let lock = NSLock()
  private var decoded = 0, most = 0, started = 0

  init(count: Int, damaged: Set<Int> = [], skipsDamaged: Bool = false) {
    self.count = count
    self.damaged = damaged
    self.skipsDamaged = skipsDamaged
  }

  /// Most images decoded at one time, and all that were begun.
  var counts: (most: Int, started: Int) { lock.withLock { (most, started) } }

  func label(at index: Int) -> Int { (index * 7 + 1) % classNames.count }

  static func problem(_ index: Int) -> OctNetError { .file(path: "\(index).jpg", "truncated") }

  func size(_ index: Int) -> (width: Int, height: Int) { (9 + index % 7, 8 + index % 5) }

  func pixels(of index: Int) -> [UInt8] {
    var stream = RandomStream(seed: 3, "photograph", index)
    let (width, height) = size(index)
    let label = label(at: index)
    return (0..<width * height * 3).map {
      UInt8(stream.index(below: 120)) + ($0 / 3 % width < 4 ? 30 : 0) + ($0 % 3 == label ? 90 : 10)
    }
  }

  func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
    lock.withLock {
      (decoded, started) = (decoded + 1, started + 1)
      most = max(most, decoded)
    }
    defer { lock.withLock { decoded -= 1 } }
    if index % 3 == 0 { Thread.sleep(forTimeInterval: 0.001) }
    guard !damaged.contains(index) else { throw Self.problem(index) }
    let (width, height) = size(index)
    pixels(of: index).withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return }
      body(PixelView(base, width: width, height: height))
    }
  }

  func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
    let transform = EvaluationTransform(
      EvaluationSettings(), height: height, width: width, normalization: TinyRun.normalization)
    try withPhotograph(at: index) { transform.place($0, to: destination) }
  }
}
