import Foundation
import Testing

import OctNet
@testable import OctNetReport

/// Scales, label placement and colours of the charts.
struct ChartTests {
  @Test(arguments: [
    ([0.0, 1.0], [0, 0.2, 0.4, 0.6, 0.8, 1.0], 1), ([88.1, 93.4], [88, 90, 92, 94], 0),
    ([1e-5, 9e-5], [0, 2e-5, 4e-5, 6e-5, 8e-5, 1e-4], 5), ([-3, 12], [-5, 0, 5, 10, 15], 0),
    ([5.0], [4.4, 4.6, 4.8, 5, 5.2, 5.4, 5.6], 1),
  ])
  func ticksAreRound(values: [Double], ticks: [Double], decimals: Int) {
    let scale = ChartScale(covering: values)
    #expect(scale.ticks.count == ticks.count)
    for (found, expected) in zip(scale.ticks, ticks) { #expect(abs(found - expected) < 1e-9) }
    #expect(scale.decimals == decimals)
    #expect(scale.lower <= values[0] && scale.upper >= values[values.count - 1])
  }

  @Test func epochsAreWhole() {
    #expect(ChartScale(covering: [1, 3], count: 7, isWhole: true, isTight: true).ticks == [1, 2, 3])
    let long = ChartScale(covering: [1, 300], count: 7, isWhole: true, isTight: true)
    #expect(long.ticks == [50, 100, 150, 200, 250, 300])
    #expect((long.lower, long.upper) == (1, 300))
    #expect(ChartScale(covering: [4], count: 7, isWhole: true, isTight: true).ticks == [3, 4, 5])
  }

  @Test func positionsAreLinear() {
    var scale = ChartScale(covering: [0, 10])
    (scale.start, scale.end) = (200, 100)
    #expect([0, 5, 10].map(scale.position) == [200, 150, 100])
  }

  /// Many points close together: what is named has room of its own.
  @Test func labelsDoNotOverlap() {
    var placer = LabelPlacer(left: 0, right: 480, top: 0, bottom: 300)
    var random = RandomStream(seed: 1, "labels")
    let points = (0..<60).map { _ in
      (x: Double(random.index(below: 400) + 40), y: Double(random.index(below: 260) + 20))
    }
    for point in points { placer.occupy(x: point.x - 6, y: point.y - 6, width: 12, height: 12) }
    let placed = points.enumerated().compactMap { placer.place("α = 0.\($0)", beside: $1) }
    #expect(placed.count > 10 && placed.count < 60)
    for (index, a) in placed.enumerated() {
      let width = SVG.width(of: a.text, size: LabelPlacer.fontSize)
      #expect(a.x >= 0 && a.x + width <= 480 && a.y <= 300)
      for b in placed[(index + 1)...] {
        let other = SVG.width(of: b.text, size: LabelPlacer.fontSize)
        #expect(a.x + width <= b.x || b.x + other <= a.x || abs(a.y - b.y) >= 14)
      }
      for point in points {
        #expect(
          a.x + width <= point.x - 6 || a.x >= point.x + 6 || a.y + 3 <= point.y - 6
            || a.y - 11 >= point.y + 6)
      }
    }
  }

  /// The names above a matrix lean over its right edge, as far as the cosine of 50° of their length.
  @Test(arguments: [3, 10, 20])
  func namesOfColumnsEndWithinThePicture(classes: Int) throws {
    let map = HeatMap(
      name: "confusion", title: "Confusion", classNames: (0..<classes).map { "class with a long name \($0)" },
      counts: (0..<classes).map { _ in (0..<classes).map { _ in 1 } })
    let names = map.svg().file().components(separatedBy: "translate(").filter { $0.contains(") rotate(-50)") }
    #expect(names.count == classes)
    let length = 84 * cos(50 * Double.pi / 180)
    for name in names {
      let x = try #require(Double(name.prefix { $0 != " " }))
      #expect(x + length <= 400, "\(name)")
    }
  }

  /// WCAG 2: graphics need 3:1 against what is behind them.
  @Test func coloursStandOut() throws {
    func luminance(_ colour: String) throws -> Double {
      let light = try Self.linear(colour)
      return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
    }
    for colour in ChartStyle.light { #expect(1.05 / (try luminance(colour) + 0.05) >= 3, "\(colour)") }
    let behind = try luminance("#14171b") + 0.05
    for colour in ChartStyle.dark { #expect((try luminance(colour) + 0.05) / behind >= 3, "\(colour)") }
  }

  /// Full protanopia, deuteranopia and tritanopia after Machado, Oliveira, Fernandes 2009, on linear light.
  private static let vision: [[[Double]]] = [
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
  ]

  @Test(arguments: [ChartStyle.light, ChartStyle.dark])
  func coloursAreToldApart(colours: [String]) throws {
    #expect(colours.count == 8)
    for matrix in Self.vision {
      let seen = try colours.map { Self.lab(Self.product(matrix, try Self.linear($0))) }
      for (index, a) in seen.enumerated() {
        for (other, b) in seen.enumerated() where other > index {
          let distance = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
          #expect(distance >= 12, "\(colours[index]) \(colours[other])")
        }
      }
    }
  }

  private static func linear(_ colour: String) throws -> [Double] {
    let value = try #require(Int(colour.dropFirst(), radix: 16))
    return [value >> 16, value >> 8 & 255, value & 255].map { part in
      let c = Double(part) / 255
      return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4)
    }
  }

  private static func product(_ matrix: [[Double]], _ vector: [Double]) -> [Double] {
    matrix.map { row in zip(row, vector).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  /// CIE 1976 from linear sRGB, white D65.
  private static func lab(_ light: [Double]) -> [Double] {
    let toXYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    let f = zip(product(toXYZ, light.map { min(1, max(0, $0)) }), [0.9505, 1, 1.089]).map { value, white in
      let t = value / white
      return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116
    }
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]
  }
}
