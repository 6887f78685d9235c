import CKernels
import Foundation
import Testing

/// The tests of the kernels on descriptors that nobody chose. Maps and parameters are arrays of exactly their size, so that
/// under the address sanitizer (`Scripts/sanitize.sh`) a read beside them is seen as well.
///
/// `OCTNET_RANDOM_DESCRIPTORS` is how many there are of each kind (default 150); `OCTNET_RANDOM_DESCRIPTOR` is the seed of a
/// single one.
@Suite struct RandomDescriptorTests {
  static let seeds: [UInt64] = {
    func setting(_ name: String) -> UInt64? {
      ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }
    if let seed = setting("OCTNET_RANDOM_DESCRIPTOR") { return [seed] }
    return Array(0..<(setting("OCTNET_RANDOM_DESCRIPTORS") ?? 150))
  }()

  /// Draws sizes.
  private struct Dice {
    private var random: TestRandom

    init(_ seed: UInt64, _ kind: UInt64) {
      random = TestRandom(seed: seed &* 16 &+ kind)
      // The first numbers of neighbouring seeds are alike.
      _ = random.floats(8)
    }

    mutating func callAsFunction(_ range: ClosedRange<Int>) -> Int {
      let share = (Double(random.floats(1)[0]) + 1) / 2
      return min(range.upperBound, range.lowerBound + Int(share * Double(range.count)))
    }

    mutating func chance(_ percent: Int) -> Bool { self(0...99) < percent }

    /// Mostly few, at times beside the widths of vectors and blocks.
    mutating func channels() -> Int {
      chance(30) ? max(1, [4, 8, 16, 32, 48, 64, 96, 128][self(0...7)] + self(-1...1)) : self(1...40)
    }
  }

  @Test(arguments: seeds) func convolutions(seed: UInt64) throws {
    var dice = Dice(seed, 0)
    var testCase = ConvolutionTests.Case()
    testCase.n = dice(1...4)
    (testCase.kh, testCase.kw) = dice.chance(60) ? (3, 3) : (dice(1...6), dice(1...6))
    testCase.stride = dice.chance(60) ? 1 : dice(1...4)
    (testCase.ph, testCase.pw) = (dice(0...testCase.kh - 1), dice(0...testCase.kw - 1))
    testCase.ih = max(dice(1...17), testCase.kh - 2 * testCase.ph)
    testCase.iw = max(dice(1...17), testCase.kw - 2 * testCase.pw)
    testCase.direct = dice.chance(20)
    switch dice(0...5) {
    case 0:
      let channels = dice.channels()
      (testCase.ic, testCase.oc, testCase.groups) = (channels, channels, channels)
    case 1:
      testCase.groups = dice(2...9)
      let most = testCase.groups < 5 ? 35 : 18
      (testCase.ic, testCase.oc) = (testCase.groups * dice(1...9), testCase.groups * dice(1...most))
    default: (testCase.ic, testCase.oc) = (dice.channels(), dice.channels())
    }
    try ConvolutionTests().agreesWithPlainLoops(testCase: testCase)
    try ConvolutionTests().passesAreAdjoint(testCase: testCase)
    try ConvolutionTests().sameBitsForAnyNumberOfThreads(testCase: testCase)
  }

  @Test(arguments: seeds) func norms(seed: UInt64) {
    var dice = Dice(seed, 1)
    let testCase = BatchNormTests.Case(
      rows: dice.chance(20) ? dice(2...3000) : dice(2...200), c: dice.channels(),
      activation: dice.chance(80)
        ? ActivationTests.cases[dice(0...ActivationTests.cases.count - 1)] : .init(kind: OCT_IDENTITY),
      residual: dice.chance(50))
    BatchNormTests().trainingAgreesWithPlainLoops(testCase: testCase)
    for accumulate in [false, true] {
      BatchNormTests().backwardAgreesWithPlainLoops(testCase: testCase, accumulate: accumulate)
    }
  }

  @Test(arguments: seeds) func pools(seed: UInt64) {
    var dice = Dice(seed, 2)
    var testCase = PoolCase()
    (testCase.n, testCase.c, testCase.ceil) = (dice(1...4), dice.channels(), dice.chance(50))
    (testCase.kh, testCase.kw) = (dice(1...5), dice(1...5))
    (testCase.sh, testCase.sw) = (dice(1...4), dice(1...4))
    (testCase.ph, testCase.pw) = (dice(0...testCase.kh / 2), dice(0...testCase.kw / 2))
    testCase.ih = max(dice(1...14), testCase.kh - testCase.ph)
    testCase.iw = max(dice(1...14), testCase.kw - testCase.pw)
    AveragePoolingTests().agreesWithPlainLoops(testCase: testCase)
    MaxPoolingTests().agreesWithPlainLoops(testCase: testCase)
  }

  @Test(arguments: seeds) func upsampling(seed: UInt64) {
    var dice = Dice(seed, 3)
    UpsamplingTests().agreesWithPlainLoops(
      n: dice(1...4), oh: dice(1...17), ow: dice(1...17), c: dice.channels())
  }

  @Test(arguments: seeds) func elements(seed: UInt64) {
    var dice = Dice(seed, 4)
    let testCase = ActivationTests.cases[dice(0...ActivationTests.cases.count - 1)]
    ActivationTests().agreesWithTheFormula(testCase: testCase, count: dice(0...3000))
  }

  @Test(arguments: seeds) func losses(seed: UInt64) {
    var dice = Dice(seed, 5)
    SoftmaxCrossEntropyTests().agreesWithPlainLoops(
      size: (dice(1...60), dice(2...200)), smoothing: Float(dice(0...10)) / 10)
  }
}
