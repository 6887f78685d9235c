import CTransforms
import Foundation
import Testing

@testable import OctNetData
import OctNetSupport

/// Pillow's and torchvision's results, which `Tools/fixtures/make_transforms.py` writes.
struct TransformFixture: Decodable {
  struct Case: Decodable, CustomTestStringConvertible {
    let kind: String
    let width, height, channels: Int
    let pixels: Data
    var left, top, boxWidth, boxHeight, bin, view: Int?
    var interpolation, policy, operation, change, cropMode, views: String?
    var mirrors, negative: Bool?
    var value, cropRatio: Double?

    var testDescription: String {
      "\(kind) \(operation ?? change ?? "") \(policy ?? "") \(interpolation ?? "") \(width)×\(height)×\(channels)"
    }
  }

  struct Moments: Decodable {
    let mean, deviation: [Double]
    let count: Int
  }

  let width, height: Int
  let rgb, gray: Data
  let cases: [Case]
  let draws: [String: Moments]

  static func load() throws -> TransformFixture {
    let url = Bundle.module.bundleURL.appendingPathComponent("Fixtures/transforms.json")
    return try JSONDecoder().decode(TransformFixture.self, from: Data(contentsOf: url))
  }
}

struct TransformFixtureTests {
  /// Within one level, nearly all equal.
  private func expect(_ found: [UInt8], matches test: TransformFixture.Case) {
    let expected = [UInt8](test.pixels)
    guard found.count == expected.count else {
      Issue.record("\(test): \(found.count) bytes, expected \(expected.count)")
      return
    }
    let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
    let different = differences.count { $0 > 0 }
    #expect(differences.max() ?? 0 <= 1, "\(test.testDescription)")
    #expect(Double(different) <= 0.01 * Double(differences.count), "\(test.testDescription)")
  }

  /// Each case's image is the middle of a larger one, so that rows have a gap between them.
  private func run(
    _ kind: String, _ body: (TransformFixture.Case, PixelView, UnsafeMutablePointer<UInt8>) throws -> Void
  ) throws {
    let fixture = try TransformFixture.load()
    let cases = fixture.cases.filter { $0.kind == kind }
    #expect(cases.count > 5)
    for test in cases {
      let source = [UInt8](test.channels == 3 ? fixture.rgb : fixture.gray)
      let line = fixture.width * test.channels, gap = 7
      var padded = [UInt8](repeating: 200, count: (line + gap) * (fixture.height + 1))
      for y in 0..<fixture.height {
        for x in 0..<line { padded[(y + 1) * (line + gap) + x] = source[y * line + x] }
      }
      var result = [UInt8](repeating: 77, count: test.width * test.height * test.channels)
      try padded.withUnsafeBufferPointer { padded in
        try result.withUnsafeMutableBufferPointer { result in
          let view = PixelView(
            try #require(padded.baseAddress) + line + gap, width: fixture.width, height: fixture.height,
            channels: test.channels, rowBytes: line + gap)
          try body(test, view, try #require(result.baseAddress))
        }
      }
      expect(result, matches: test)
    }
  }

  @Test func resizedCrops() throws {
    try run("resize") { test, image, result in
      let box = PixelBox(
        left: try #require(test.left), top: try #require(test.top), width: try #require(test.boxWidth),
        height: try #require(test.boxHeight))
      let interpolation = try #require(test.interpolation.flatMap(Interpolation.init))
      image.part(box).resize(
        oct_resize_window(
          new_width: test.width, new_height: test.height, left: 0, top: 0, width: test.width,
          height: test.height),
        interpolation, mirrors: test.mirrors == true, to: result)
    }
  }

  /// The image's own pixels, and what `body` makes of them.
  private func work(
    _ test: TransformFixture.Case, _ image: PixelView, _ result: UnsafeMutablePointer<UInt8>,
    _ body: (inout PixelWork) throws -> Void
  ) throws {
    let line = image.width * image.channels, count = line * image.height
    var bytes = [UInt8](repeating: 33, count: 2 * count)
    try bytes.withUnsafeMutableBufferPointer { bytes in
      let base = try #require(bytes.baseAddress)
      for y in 0..<image.height {
        (base + y * line).update(from: image.base + y * image.rowBytes, count: line)
      }
      var work = PixelWork(
        pixels: base, other: base + count, width: image.width, height: image.height, channels: image.channels)
      try body(&work)
      result.update(from: work.pixels, count: count)
    }
  }

  @Test func operations() throws {
    let names: [String: AutoAugment.Operation] = [
      "Identity": .identity, "ShearX": .shearX, "ShearY": .shearY, "TranslateX": .translateX,
      "TranslateY": .translateY, "Rotate": .rotate, "Brightness": .brightness, "Color": .color,
      "Contrast": .contrast, "Sharpness": .sharpness, "Posterize": .posterize, "Solarize": .solarize,
      "AutoContrast": .autoContrast, "Equalize": .equalize,
    ]
    var seen: Set<AutoAugment.Operation> = []
    try run("operation") { test, image, result in
      let operation = try #require(test.operation.flatMap { names[$0] })
      let policy = try #require(test.policy.flatMap(AutoAugment.Policy.init))
      let interpolation = try #require(test.interpolation.flatMap(Interpolation.init))
      let amount = AutoAugment.magnitude(
        of: operation, policy, bin: try #require(test.bin), width: image.width, height: image.height)
      seen.insert(operation)
      try work(test, image, result) {
        AutoAugment.Step(operation: operation, magnitude: test.negative == true ? -amount : amount)
          .apply(to: &$0, interpolation)
      }
    }
    #expect(seen.count == AutoAugment.Operation.allCases.count)
  }

  @Test func colorJitter() throws {
    try run("jitter") { test, image, result in
      let value = try #require(test.value)
      let step: ColorJitter.Step =
        switch test.change {
        case "brightness": .brightness(value)
        case "contrast": .contrast(value)
        case "saturation": .saturation(value)
        default: .hue(value)
        }
      try work(test, image, result) { step.apply(to: &$0) }
    }
  }

  @Test func evaluation() throws {
    // Without normalisation, values are bytes again.
    let bytes = Normalization(mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255])
    try run("evaluation") { test, image, result in
      let settings = EvaluationSettings(
        cropRatio: test.cropRatio, interpolation: test.interpolation.flatMap(Interpolation.init),
        cropMode: test.cropMode.flatMap(EvaluationSettings.Mode.init),
        views: test.views.flatMap(EvaluationSettings.Views.init))
      try settings.validate()
      let transform = EvaluationTransform(
        settings, height: test.height, width: test.width, normalization: bytes)
      let size = test.width * test.height * 3
      var values = [Float](repeating: -1, count: transform.viewCount * size)
      try values.withUnsafeMutableBufferPointer { transform(image, to: try #require($0.baseAddress)) }
      let first = try #require(test.view) * size
      for index in 0..<size { result[index] = UInt8(values[first + index].rounded()) }
    }
  }
}
