import Foundation
import Testing

@testable import OctNetData
import OctNetSupport

/// Random draws beside torchvision's, whose moments stand in the fixture.
struct TransformDrawTests {
  private static let count = 20_000

  /// Means within five standard errors of both samples, deviations within 4 %.
  private func expect(_ boxes: [PixelBox], _ key: String) throws {
    let moments = try #require(try TransformFixture.load().draws[key])
    let values = boxes.map { [$0.left, $0.top, $0.width, $0.height, $0.width * $0.height].map(Double.init) }
    for index in 0..<5 {
      let column = values.map { $0[index] }
      let mean = column.reduce(0, +) / Double(column.count)
      let variance = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(column.count)
      let deviation = moments.deviation[index]
      let error = 5 * deviation * (1 / Double(column.count) + 1 / Double(moments.count)).squareRoot()
      #expect(abs(mean - moments.mean[index]) <= error + 1e-9, "\(key) \(index)")
      #expect(abs(variance.squareRoot() - deviation) <= 0.04 * deviation + 1e-9, "\(key) \(index)")
    }
  }

  private func draw(_ index: Int, seed: UInt64 = 3) -> ImageDraw {
    ImageDraw(seed: seed, epoch: index / 1000, sample: index % 1000)
  }

  @Test(arguments: [(500, 375), (60, 400)]) func resizedCrops(width: Int, height: Int) throws {
    let crop = RandomResizedCrop()
    let boxes = (0..<Self.count).map { crop.box(draw($0), width: width, height: height) }
    #expect(
      boxes.allSatisfy {
        $0.left >= 0 && $0.top >= 0 && $0.left + $0.width <= width && $0.top + $0.height <= height
      })
    try expect(boxes, "resizedCrop \(width)x\(height)")
  }

  @Test func erasedRectangles() throws {
    let erasing = RandomErasing(probability: 1)
    let boxes = (0..<Self.count).compactMap { index in
      var random = draw(index).stream("random erasing")
      return erasing.box(&random, width: 64, height: 48)
    }
    try expect(boxes, "erasing 64x48")
    let half = RandomErasing(probability: 0.25)
    let erased = (0..<Self.count).count { index in
      var random = draw(index).stream("random erasing")
      return half.box(&random, width: 64, height: 48) != nil
    }
    // Five standard deviations of a binomial.
    #expect(
      abs(Double(erased) - 0.25 * Double(Self.count)) < 5 * (Double(Self.count) * 0.25 * 0.75).squareRoot())
  }

  @Test func exchangedRectangles() throws {
    let cutmix = CutMix(alpha: 0.7)
    try expect(
      (0..<Self.count).map { cutmix.box(seed: 5, epoch: $0 / 100, batch: $0 % 100, height: 48, width: 64) },
      "cutmix 64x48")
  }

  @Test func randAugmentDrawsEachOperationAlikeAndBothSigns() {
    let policy = AutoAugment(.ra, magnitude: 30)
    var counts: [AutoAugment.Operation: Int] = [:], negative: [AutoAugment.Operation: Int] = [:]
    for index in 0..<Self.count {
      var random = draw(index).stream("auto augment")
      let steps = policy.steps(&random, width: 331, height: 662)
      #expect(steps.count == 2)
      for step in steps {
        counts[step.operation, default: 0] += 1
        if step.magnitude < 0 { negative[step.operation, default: 0] += 1 }
        if step.operation == .translateX { #expect(abs(abs(step.magnitude) - 150) < 1e-4) }
        if step.operation == .translateY { #expect(abs(abs(step.magnitude) - 300) < 1e-4) }
        if step.operation == .posterize { #expect(step.magnitude == 4) }
        if step.operation == .solarize { #expect(step.magnitude == 0) }
      }
    }
    let expected = Double(2 * Self.count) / 14
    for operation in AutoAugment.Operation.allCases {
      let found = Double(counts[operation] ?? 0)
      #expect(abs(found - expected) < 5 * expected.squareRoot(), "\(operation)")
      let minus = Double(negative[operation] ?? 0)
      #expect(operation.isSigned ? abs(minus - found / 2) < 2.5 * found.squareRoot() : minus == 0)
    }
  }

  @Test func trivialAugmentDrawsEveryMagnitude() {
    let policy = AutoAugment(.taWide)
    var magnitudes: [Double: Int] = [:]
    for index in 0..<40_000 {
      var random = draw(index).stream("auto augment")
      let steps = policy.steps(&random, width: 9, height: 9)
      #expect(steps.count == 1)
      if steps[0].operation == .rotate { magnitudes[steps[0].magnitude, default: 0] += 1 }
    }
    // 0 to 135 degrees in 31 steps, either way; 0 itself has no sign.
    #expect(magnitudes.count == 61 && magnitudes.keys.max() == 135 && magnitudes.keys.min() == -135)
    let total = magnitudes.values.reduce(0, +), zeros = magnitudes[0] ?? 0
    #expect(abs(Double(total) - 40_000.0 / 14) < 5 * (40_000.0 / 14).squareRoot())
    #expect(abs(Double(zeros) - Double(total) / 31) < 5 * (Double(total) / 31).squareRoot())
  }

  @Test func jitterDrawsOrderAndFactors() {
    let jitter = ColorJitter(brightness: 0.4, contrast: 1.5, saturation: 0.2, hue: 0.1)
    var orders: [[Int]: Int] = [:], sums = [Double](repeating: 0, count: 4)
    var (lowest, highest) = ([Double](repeating: 9, count: 4), [Double](repeating: -9, count: 4))
    for index in 0..<Self.count {
      var random = draw(index).stream("color jitter")
      let order = jitter.steps(&random).map { step -> Int in
        let (place, value) =
          switch step {
          case .brightness(let value): (0, value)
          case .contrast(let value): (1, value)
          case .saturation(let value): (2, value)
          case .hue(let value): (3, value)
          }
        sums[place] += value
        lowest[place] = min(lowest[place], value)
        highest[place] = max(highest[place], value)
        return place
      }
      orders[order, default: 0] += 1
    }
    #expect(orders.count == 24)
    let expected = Double(Self.count) / 24
    #expect(orders.values.allSatisfy { abs(Double($0) - expected) < 5 * expected.squareRoot() })
    // Uniform between both ends; not below 0.
    for (place, (low, high)) in [(0.6, 1.4), (0, 2.5), (0.8, 1.2), (-0.1, 0.1)].enumerated() {
      let error = 5 * (high - low) / 12.0.squareRoot() / Double(Self.count).squareRoot()
      #expect(abs(sums[place] / Double(Self.count) - (low + high) / 2) < error)
      #expect(lowest[place] >= low && lowest[place] < low + 0.01 * (high - low))
      #expect(highest[place] <= high && highest[place] > high - 0.01 * (high - low))
    }
    var random = draw(1).stream("color jitter")
    #expect(ColorJitter(contrast: 0.5).steps(&random).count == 1)
  }

  @Test func batchesAreMixedAsOftenAsSaid() {
    let both = BatchMixing(mixupAlpha: 0.2, cutmixAlpha: 1, probability: 0.8, switchProbability: 0.25)
    var counts = [0, 0, 0]
    for batch in 0..<Self.count {
      switch both.draw(seed: 1, epoch: 0, batch: batch, height: 8, width: 8) {
      case nil: counts[0] += 1
      case .blend: counts[1] += 1
      case .paste: counts[2] += 1
      }
    }
    for (found, share) in zip(counts, [0.2, 0.6, 0.2]) {
      let expected = share * Double(Self.count)
      #expect(abs(Double(found) - expected) < 5 * (expected * (1 - share)).squareRoot())
    }
    // What training with mixup alone has always drawn.
    #expect(
      BatchMixing(mixupAlpha: 0.2).draw(seed: 1, epoch: 2, batch: 3, height: 8, width: 8)
        == .blend(Mixup(alpha: 0.2).share(seed: 1, epoch: 2, batch: 3)))
  }
}
