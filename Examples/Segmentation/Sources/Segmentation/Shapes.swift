import Foundation

/// Images with discs, squares and triangles of any colour on a background that varies, in front of each other, and the class
/// of each pixel: 0 background, 1 disc, 2 square, 3 triangle.
struct Shapes {
  static let side = 64
  static let names = ["background", "disc", "square", "triangle"]

  let images: [[Float]]
  let labels: [[Int32]]

  init(count: Int, seed: UInt64) {
    var dice = SplitMix64(state: seed)
    let drawn = (0..<count).map { _ in Self.draw(&dice) }
    images = drawn.map(\.image)
    labels = drawn.map(\.labels)
  }

  private static func draw(_ dice: inout SplitMix64) -> (image: [Float], labels: [Int32]) {
    func number(_ range: ClosedRange<Float>) -> Float { Float.random(in: range, using: &dice) }
    func colour() -> [Float] { (0..<3).map { _ in number(-1.5...1.5) } }
    var image: [Float] = []
    var labels = [Int32](repeating: 0, count: side * side)
    let (from, to) = (colour(), colour())
    for y in 0..<side {
      for _ in 0..<side {
        let share = Float(y) / Float(side)
        for channel in 0..<3 { image.append(from[channel] * (1 - share) + to[channel] * share) }
      }
    }
    for _ in 0..<Int.random(in: 2...4, using: &dice) {
      let kind = Int32.random(in: 1...3, using: &dice)
      let (x0, y0, radius) = (number(8...56), number(8...56), number(7...14))
      let (angle, colour) = (number(0...Float.pi), colour())
      for y in 0..<side {
        for x in 0..<side {
          let (dx, dy) = (Float(x) - x0, Float(y) - y0)
          // Turned by the angle.
          let (u, v) = (cos(angle) * dx + sin(angle) * dy, cos(angle) * dy - sin(angle) * dx)
          let isInside =
            switch kind {
            case 1: u * u + v * v < radius * radius
            case 2: max(abs(u), abs(v)) < 0.85 * radius
            default: v < 0.6 * radius && 1.8 * abs(u) - v < 0.95 * radius
            }
          guard isInside else { continue }
          labels[y * side + x] = kind
          for channel in 0..<3 { image[(y * side + x) * 3 + channel] = colour[channel] }
        }
      }
    }
    for index in image.indices { image[index] += number(-0.15...0.15) }
    return (image, labels)
  }
}

/// Steele, Lea, Flood 2014.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
