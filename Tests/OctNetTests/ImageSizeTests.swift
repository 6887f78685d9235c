import Foundation
import Testing

import OctNet
@testable import OctNetData
@testable import OctNetTraining

/// Images that grow while a run goes on.
struct ImageSizeTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  // MARK: What is written

  @Test func plansAreRead() throws {
    #expect(try ImageSizePlan("224") == ImageSizePlan(size: 224))
    let plan = try ImageSizePlan("128:0-10,160:10-16")
    #expect(plan.stages == [ImageSizeStage(size: 128, from: 0), ImageSizeStage(size: 160, from: 10)])
    #expect(plan.epochs == 16 && plan.last == 160 && plan.largest == 160)
    let open = try ImageSizePlan("96:0-2,64:2-")
    #expect(open.epochs == nil && open.last == 64 && open.largest == 96)
    #expect(throws: Never.self) { try open.check(epochs: 7) }
    #expect(throws: Never.self) { try plan.check(epochs: 16) }
    #expect(
      throws: OctNetError.configuration(
        key: "image size",
        "the sizes are for 16 epochs, the run has 20; leave the last number out for the rest of a run")
    ) { try plan.check(epochs: 20) }
  }

  @Test(arguments: [
    ("128:0-10,160:12-16", "epochs 10 to 11 have no size in 128:0-10,160:12-16"),
    ("128:0-10,160:11-16", "epoch 10 has no size in 128:0-10,160:11-16"),
    ("128:1-10", "epoch 0 has no size in 128:1-10"),
    ("128:0-10,160:8-16", "epoch 8 has two sizes in 128:0-10,160:8-16: 128 and 160"),
    ("128:0-,160:8-16", "160 begins at epoch 8, but the size in front of it has no last epoch"),
    ("128:0-0", "found 128:0-0, expected epochs of which the second number is the larger"),
    ("128:5", "expected a size, or sizes with epochs such as 128:0-10,160:10-16, found \"128:5\""),
    ("large", "expected a size, or sizes with epochs such as 128:0-10,160:10-16, found \"large\""),
    ("128:0-5,", "expected a size, or sizes with epochs such as 128:0-10,160:10-16, found \"128:0-5,\""),
    ("", "expected a size, or sizes with epochs such as 128:0-10,160:10-16, found \"\""),
    ("0:0-5", "expected 1 or more, found 0"), ("99999", "expected at most 16384, found 99999"),
  ])
  func whatIsNoPlanIsAnError(text: String, problem: String) {
    #expect(throws: OctNetError.configuration(key: "image size", problem)) { try ImageSizePlan(text) }
  }

  // MARK: Training

  /// As they come from a file: for the largest size.
  private static let data: DataSplit = {
    // Not of the network's size, so that smaller ones are made of these.
    let large = TinyRun.data
    return (try? large.resized(to: 12)) ?? large
  }()

  private func configuration(
    _ sizes: [ImageSizeStage]?, epochs: Int = 4, threads: Int = 1, size: Int = 12
  ) -> TrainingConfiguration {
    var result = TinyRun.configuration(threads: threads, epochs: epochs)
    result.model = ModelConfiguration(
      name: "resnet20", alpha: 0.25, classes: 4, inputHeight: size, inputWidth: size)
    result.imageSizes = sizes
    (result.batchSize, result.emaDecay) = (8, 0.9)
    result.schedule = LearningRateSchedule(base: 0.05, shape: .constant)
    return result
  }

  private static let growing = [ImageSizeStage(size: 8, from: 0), ImageSizeStage(size: 12, from: 2)]

  /// Trains in sessions that end after the given steps, each from its files alone.
  /// - Returns: everything that training changed, each step's loss, and images' numbers from epoch to epoch.
  private func train(
    _ configuration: TrainingConfiguration, _ name: String, stoppingAfter stops: [Int] = [],
    threads: [Int] = [1], data: DataSplit = data
  ) throws -> (bits: [String: [UInt64]], sizes: [Int: Set<Int>], trainer: Trainer) {
    let run = try RunDirectory.create(directory(name))
    var losses: [UInt64] = [], sizes: [Int: Set<Int>] = [:]
    var hooks = TrainerHooks()
    hooks.batch = { batch in
      sizes[batch.place.epoch, default: []].insert(batch.images.count / batch.count)
    }
    for part in 0...stops.count {
      var configuration = configuration
      configuration.threads = threads[part % threads.count]
      let network = try #require(configuration.model).makeNetwork(seed: UInt64(part + 1))
      let state = part == 0 ? nil : try TrainingState(path: run.statePath)
      let trainer = try Trainer(
        network: network, configuration: configuration, data: data, directory: run, resuming: state,
        hooks: hooks
      ) { if case .step(let report) = $0 { losses.append(report.loss.bitPattern) } }
      let summary = try trainer.run { part < stops.count && trainer.position.step >= stops[part] }
      #expect(summary.isInterrupted == (part < stops.count))
      if part == stops.count {
        return (trainer.evaluatedNetwork.bits.merging(["losses": losses]) { $1 }, sizes, trainer)
      }
    }
    throw OctNetError.training("the loop above returns")
  }

  @Test func everyEpochHasItsSize() throws {
    let stages = [
      ImageSizeStage(size: 8, from: 0), ImageSizeStage(size: 10, from: 1), ImageSizeStage(size: 12, from: 3),
    ]
    let (_, sizes, trainer) = try train(configuration(stages), "run")
    #expect(sizes == [0: [8 * 8 * 3], 1: [10 * 10 * 3], 2: [10 * 10 * 3], 3: [12 * 12 * 3]])
    // Evaluated as at the end: at the last size.
    let evaluation = try #require(trainer.results.last).evaluation
    let evaluator = Evaluator(
      network: trainer.evaluatedNetwork, normalization: TinyRun.normalization, threads: 1)
    #expect(try evaluator.evaluate(Self.data.test) == evaluation)
    let checkpoint = try Checkpoint(path: RunDirectory.open(directory("run")).lastPath)
    #expect(checkpoint.model?.inputHeight == 12)
    #expect(try TrainingConfiguration(path: directory("run/config.json")).imageSizes == stages)
  }

  /// The epochs of a size are those of a run with that size: the same images, steps and numbers.
  @Test func aStageIsARunOfThatSize() throws {
    let grown = try train(configuration(Self.growing, epochs: 3), "grown", stoppingAfter: [5, 6])
    let small = try train(
      configuration(nil, epochs: 2, size: 8), "small", data: try Self.data.scaled(to: 8))
    let steps = try #require(small.bits["losses"]).count
    #expect(steps == 6 && grown.bits["losses"]?.count == 9)
    #expect(grown.bits["losses"]?.prefix(steps) == small.bits["losses"]?[...])
    // And the next one goes on with its weights.
    let state = try TrainingState(path: RunDirectory.open(directory("small")).statePath)
    let larger = configuration(nil, epochs: 3)
    let network = try #require(larger.model).makeNetwork(seed: 1)
    try network.load(state.network)
    var seen: Float = 0
    let loader = larger.loader(for: Self.data.train)
    let session = try TrainingSession(
      network: network, batchSize: 8, threads: 1, loss: CrossEntropy(labelSmoothing: 0.1))
    try loader.forEachBatch(epoch: 2, upTo: 1) { batch in
      seen =
        session.step(images: batch.images, targets: TargetPointers(batch), count: batch.count, dropoutSeed: 1)
        .loss
    }
    #expect(grown.bits["losses"]?[steps] == Double(seen).bitPattern)
  }

  /// Stopped in either size, at the border, and with other numbers of threads.
  @Test func resumingKeepsTheBits() throws {
    let whole = try train(configuration(Self.growing), "whole").bits
    for (index, stops) in [[2], [6], [7], [1, 6, 10]].enumerated() {
      let parts = try train(
        configuration(Self.growing), "parts\(index)", stoppingAfter: stops, threads: [2, 1])
      #expect(parts.bits == whole, "\(stops)")
      #expect(parts.sizes == [0: [192], 1: [192], 2: [432], 3: [432]])
    }
    // More epochs have the last size.
    var longer = configuration(Self.growing, epochs: 5)
    longer.threads = 2
    let state = try TrainingState(path: RunDirectory.open(directory("whole")).statePath)
    let network = try #require(longer.model).makeNetwork(seed: 9)
    let trainer = try Trainer(
      network: network, configuration: longer, data: Self.data, resuming: state)
    #expect(try trainer.run().results.epochs == 5)
  }

  /// Images in preparation are of the network's size, or larger ones: other sizes come from them.
  @Test func smallerImagesShowTheSamePart() throws {
    let base = TinyRun.data.train
    let cropped = try base.resized(to: 5, EvaluationSettings(cropRatio: 0.8))
    var found = [UInt8](repeating: 0, count: 48), expected = found
    try cropped.scaled(to: 4).copyPixels(at: 3, to: &found)
    try base.resized(to: 4, EvaluationSettings(cropRatio: 0.8)).copyPixels(at: 3, to: &expected)
    #expect(found == expected)
    // Through everything that lies above it.
    let above = try cropped.first(7).mapped(
      by: ClassMapping(
        of: ClassLabels(names: base.classNames), to: ClassLabels(names: base.classNames.reversed()),
        owner: "x"))
    let scaled = try above.scaled(to: 4)
    try scaled.copyPixels(at: 3, to: &found)
    #expect(found == expected && scaled.count == 7 && scaled.label(at: 3) == 3 - base.label(at: 3))
    #expect((scaled.height, scaled.width) == (4, 4))
  }

  // MARK: What cannot be

  private func problem(_ configuration: TrainingConfiguration, data: DataSplit = data) throws -> String {
    var network = try TinyRun.network()
    if let model = configuration.model { network = try model.makeNetwork() }
    do {
      _ = try Trainer(network: network, configuration: configuration, data: data)
      return "none"
    } catch { return "\(error)" }
  }

  @Test func sizesThatDoNotFitAreErrors() throws {
    #expect(
      try problem(configuration(Self.growing, epochs: 2))
        == "imageSizes: the last size begins at epoch 2, expected fewer than the run's 2")
    #expect(
      try problem(configuration([ImageSizeStage(size: 12, from: 1)]))
        == "imageSizes: expected a size from epoch 0 on, found 1")
    #expect(
      try problem(configuration(Self.growing + [ImageSizeStage(size: 12, from: 2)]))
        == "imageSizes: 12 begins at epoch 2, expected more than 2")
    #expect(
      try problem(configuration([ImageSizeStage(size: 12, from: 0), ImageSizeStage(size: 8, from: 1)]))
        == "imageSizes: the last size is 8, expected that of the network, 12×12")
    var own = configuration(Self.growing)
    own.model = nil
    #expect(
      try problem(own)
        == "imageSizes: belongs to networks that are known by name, which can be built for another size")
  }

  @Test func aNetworkOfOneSizeSaysSo() throws {
    var fixed = configuration([ImageSizeStage(size: 4, from: 0), ImageSizeStage(size: 32, from: 1)])
    fixed.model = ModelConfiguration(name: "airbench94", alpha: 0, classes: 4)
    let text = try problem(fixed, data: TinyRun.data.resized(to: 32))
    #expect(text.hasPrefix("imageSizes: airbench94 cannot have images of 4×4: "), "\(text)")
  }
}
