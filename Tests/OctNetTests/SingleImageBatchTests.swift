import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetData

/// Norms over maps of one pixel, and the batches of one image that they cannot learn from.
@Suite struct SingleImageBatchTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// 6×6 images become 2×2 and then 1×1 maps.
  private func network(seed: UInt64 = 1, channels: Int = 4) throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: seed) { image in
      let enter = Conv2d("enter", inputChannels: 3, outputChannels: channels, kernelSize: 3, stride: 3)
      let small = Conv2d("small", inputChannels: channels, outputChannels: channels, kernelSize: 2, stride: 2)
      var x = try ReLU()(BatchNorm2d("norm1", channels: channels)(enter(image)))
      x = try ReLU()(BatchNorm2d("norm2", channels: channels)(small(x)))
      return try Linear("classes", inputChannels: channels, outputChannels: 4)(GlobalAvgPool()(x))
    }
  }

  private func train(
    _ network: Network, images: Int, _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> (report: RunReport?, steps: [StepReport], position: TrainingPosition) {
    var configuration = TinyRun.configuration(epochs: 2)
    change(&configuration)
    var report: RunReport?
    var steps: [StepReport] = []
    let trainer = try Trainer(
      network: network, configuration: configuration,
      data: TinyRun.split(TinyImages(count: images), TinyImages(count: 9, seed: 2))
    ) { event in
      if case .runStarted(let start) = event { report = start }
      if case .step(let step) = event { steps.append(step) }
    }
    var position = TrainingPosition()
    try trainer.run {
      if trainer.position.images > position.images { position = trainer.position }
      return false
    }
    return (report, steps, position)
  }

  @Test func whichNetworksTheseAre() throws {
    #expect(try network().graph.onePixelNorm == "norm2")
    #expect(try TinyRun.network().graph.onePixelNorm == nil)
    let model = ModelConfiguration(name: "resnet50", stem: .imagenet)
    #expect(try model.makeGraph().onePixelNorm == "layer4.0.bn2")
    #expect(try ModelConfiguration(name: "resnet50", stem: .cifar).makeGraph().onePixelNorm == nil)
    // Octaves: the low map is the smaller one.
    let octaves = ModelConfiguration(name: "resnet20", alpha: 0.5, inputHeight: 4, inputWidth: 4)
    #expect(try octaves.makeGraph().onePixelNorm?.hasPrefix("layer2.0.") == true)
  }

  @Test func theLastImageIsLeftOut() throws {
    let (report, steps, position) = try train(network(), images: 21)
    #expect(report?.stepsPerEpoch == 4 && report?.trainImages == 21)
    #expect(report?.notes.count == 1 && report?.notes.first?.hasPrefix("1 of 21 training images") == true)
    #expect(steps.count == 8 && steps.allSatisfy { $0.stepsPerEpoch == 4 })
    #expect(position.images == 20 && position.epochImages == 21)

    // Neither other counts nor other networks.
    for images in [20, 22] { #expect(try train(network(), images: images).report?.notes == []) }
    let other = try train(TinyRun.network(), images: 21)
    #expect(other.report?.notes == [] && other.report?.stepsPerEpoch == 5 && other.position.images == 21)
  }

  /// The image that is left out is drawn anew each epoch.
  @Test func anotherImageEachEpoch() {
    let loader = BatchLoader(
      dataset: TinyImages(count: 21), batchSize: 5, normalization: TinyRun.normalization, shuffleSeed: 5,
      leavesOutSingleImage: true)
    #expect(loader.batchesPerEpoch == 4)
    var counts: [Int] = []
    loader.eachBatch { counts.append($0.count) }
    #expect(counts == [5, 5, 5, 5])
    #expect(Set((0..<20).map { loader.sampleOrder(epoch: $0)[20] }).count > 5)
  }

  /// With batches of 4 in threes, 25 images were two updates and one of a single image.
  @Test func accumulation() throws {
    let (report, steps, position) = try train(network(), images: 25) {
      ($0.batchSize, $0.accumulationSteps) = (4, 3)
    }
    #expect(report?.stepsPerEpoch == 2 && steps.count == 4 && position.images == 24 && position.batch == 6)
  }

  @Test func runningVariancesStay() throws {
    let network = try network()
    _ = try train(network, images: 21) { $0.epochs = 6 }
    let dictionary = Dictionary(network.stateDictionary().map { ($0.name, $0.value) }) { $1 }
    guard case .tensor(let variance) = dictionary["norm2.running_var"] else {
      Issue.record("no running variance")
      return
    }
    // With a batch of one in each epoch, six factors of 0.9 would be missing.
    let plain = try self.network()
    _ = try train(plain, images: 20) { $0.epochs = 6 }
    guard
      case .tensor(let other) = plain.stateDictionary().first(where: { $0.name == "norm2.running_var" })?
        .value
    else { return }
    for (a, b) in zip(variance.values, other.values) { #expect(a > 0.6 * b, "\(a) \(b)") }
  }

  @Test func batchesOfOneAreRefused() throws {
    #expect(
      error { try train(network(), images: 9) { $0.batchSize = 1 } }
        == .configuration(
          key: "batchSize",
          "found 1, expected 2 or more: norm2 normalises maps of one pixel, which vary over images only"))
    #expect(
      error { try train(network(), images: 1) }
        == .configuration(
          key: "data",
          "found one training image, expected 2 or more: norm2 normalises maps of one pixel, which vary over images only"
        ))
    #expect(throws: Never.self) { try train(TinyRun.network(), images: 3) { $0.batchSize = 1 } }
    #expect(throws: Never.self) { try train(TinyRun.network(), images: 1) }
  }

  /// A run that was interrupted, and states of versions that trained on the single image.
  @Test func resuming() throws {
    let data = TinyRun.split(TinyImages(count: 21), TinyImages(count: 9, seed: 2))
    func run(_ name: String, stops: [Int]) throws -> [String: [UInt64]] {
      let run = try RunDirectory.create(directory(name))
      for part in 0...stops.count {
        let network = try network(seed: UInt64(part + 1))
        let trainer = try Trainer(
          network: network, configuration: TinyRun.configuration(epochs: 2), data: data, directory: run,
          resuming: part == 0 ? nil : try TrainingState(path: run.statePath))
        try trainer.run { part < stops.count && trainer.position.step >= stops[part] }
        if part == stops.count { return network.bits }
      }
      return [:]
    }
    let whole = try run("whole", stops: [])
    #expect(try run("parts", stops: [3, 4, 6]) == whole)

    var state = try TrainingState(path: directory("whole/resume.safetensors"))
    // Five steps an epoch, as they were.
    state.position.step = 10
    func resume(epochs: Int) throws -> Trainer {
      try Trainer(
        network: network(), configuration: TinyRun.configuration(epochs: epochs), data: data, resuming: state)
    }
    #expect(try resume(epochs: 2).nothingToDo != nil)
    #expect(error { try resume(epochs: 3) }?.description.contains("begin the run again") == true)
    state.position.step = 11
    #expect(error { try resume(epochs: 3) }?.description.contains("position.step: expected 8") == true)
  }
}
