import Foundation
import Testing

import OctNet
@testable import OctNetData
@testable import OctNetTraining

/// Images that are read and changed by several threads while the network computes.
struct StreamingTests {
  private struct Copy: Equatable {
    let index: Int
    let samples: [Int]
    let labels: [Int32]
    let images: [Float]
    let share: Float?
  }

  private static var augmentation: Augmentation {
    Augmentation(
      cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop(scale: 0.3...1),
      colorJitter: ColorJitter(brightness: 0.4, contrast: 0.2, saturation: 0.3))
  }

  private static func loader(
    _ dataset: Photographs, workers: Int, seed: UInt64? = 5, mixing: BatchMixing? = nil,
    augmentation: Augmentation = augmentation
  ) -> BatchLoader {
    BatchLoader(
      dataset: dataset, batchSize: 5, normalization: TinyRun.normalization, augmentation: augmentation,
      shuffleSeed: seed, mixing: mixing, workers: workers)
  }

  private static func batches(
    _ loader: BatchLoader, epoch: Int = 1, from first: Int = 0, skipped: (Int) -> Void = { _ in }
  ) throws -> [Copy] {
    var copies: [Copy] = []
    try loader.forEachBatch(epoch: epoch, startingAt: first, onSkipped: { skipped($0.sample) }) { batch in
      copies.append(copy(batch))
    }
    return copies
  }

  private static func copy(_ batch: Batch) -> Copy {
    Copy(
      index: batch.index, samples: Array(UnsafeBufferPointer(start: batch.samples, count: batch.count)),
      labels: Array(UnsafeBufferPointer(start: batch.labels, count: batch.count)),
      images: Array(UnsafeBufferPointer(start: batch.images, count: batch.count * 108)),
      share: batch.mixed?.share)
  }

  @Test(arguments: [nil, BatchMixing(mixupAlpha: 0.4, cutmixAlpha: 1)])
  func anyNumberOfThreadsGivesTheSameBits(mixing: BatchMixing?) throws {
    let images = Photographs(count: 33)
    let one = try Self.batches(Self.loader(images, workers: 1, mixing: mixing))
    #expect(one.count == 7 && one.flatMap(\.samples).sorted() == Array(0..<33))
    for workers in [2, 5] {
      let loader = Self.loader(images, workers: workers, mixing: mixing)
      #expect(try Self.batches(loader) == one)
      #expect(try Self.batches(loader, from: 4) == Array(one[4...]))
    }
    #expect(try Self.batches(Self.loader(images, workers: 5), epoch: 2) != one)
  }

  /// Not of the square that evaluation sees.
  @Test func cropsArePartsOfThePhotograph() throws {
    let images = Photographs(count: 12)
    let transform = TrainingTransform(
      Self.augmentation, height: 6, width: 6, normalization: TinyRun.normalization, seed: 5)
    for batch in try Self.batches(Self.loader(images, workers: 2), epoch: 3) {
      for (place, sample) in batch.samples.enumerated() {
        var expected = [Float](repeating: 0, count: 108)
        try images.withPhotograph(at: sample) { transform($0, epoch: 3, sample: sample, to: &expected) }
        #expect(Array(batch.images[place * 108..<(place + 1) * 108]) == expected)
        #expect(batch.labels[place] == Int32(images.label(at: sample)))
      }
    }
  }

  /// Without random crops it is the one that evaluation sees, padded and mirrored as ever.
  @Test func otherChangesBeginWithTheMiddle() throws {
    let images = Photographs(count: 12)
    let square = ImageSet(
      name: "squares", height: 6, width: 6, channels: 3, classNames: images.classNames,
      pixels: (0..<12).flatMap(images.pixels(at:)), labels: (0..<12).map(images.label(at:)))
    let augmentation = Augmentation(cropPadding: 1, horizontalFlip: true)
    let streamed = try Self.batches(Self.loader(images, workers: 3, augmentation: augmentation))
    let kept = BatchLoader(
      dataset: square, batchSize: 5, normalization: TinyRun.normalization, augmentation: augmentation,
      shuffleSeed: 5)
    #expect(try Self.batches(kept) == streamed)
  }

  @Test(arguments: [1, 2, 5])
  func photographsInMemoryAreBounded(workers: Int) throws {
    let images = Photographs(count: 200)
    let loader = Self.loader(images, workers: workers)
    var consumed = 0
    try loader.forEachBatch(epoch: 0) { batch in
      // Three batches are in use, ready or in preparation.
      #expect(images.counts.started <= (consumed + 3) * 5)
      if batch.index % 8 == 0 { Thread.sleep(forTimeInterval: 0.01) }
      consumed += 1
    }
    #expect(images.counts.started == 200 && images.counts.most <= workers)
    if workers > 1 { #expect(images.counts.most > 1) }
  }

  // MARK: Damage

  @Test(arguments: [1, 4])
  func aDamagedImageEndsTheEpochWhenItIsItsTurn(workers: Int) throws {
    let order = Self.loader(Photographs(count: 33), workers: 1).sampleOrder(epoch: 1)
    // Two of one batch, of which the first is named, and one of a later batch.
    let images = Photographs(count: 33, damaged: [order[17], order[19], order[30]])
    var seen: [Copy] = []
    #expect(throws: Photographs.problem(order[17])) {
      try Self.loader(images, workers: workers).forEachBatch(epoch: 1) { seen.append(Self.copy($0)) }
    }
    let whole = try Self.batches(Self.loader(Photographs(count: 33), workers: 1))
    #expect(seen == Array(whole[..<3]))
  }

  /// The others stay as and where they are.
  @Test func aSkippedImageMovesNoOther() throws {
    let whole = try Self.batches(Self.loader(Photographs(count: 33), workers: 1))
    let order = whole.flatMap(\.samples)
    let damaged: Set<Int> = [order[2], (order[2] + 1) % 33, order[17]]
    let images = Photographs(count: 33, damaged: damaged, skipsDamaged: true)
    var skipped: [Int] = []
    let one = try Self.batches(Self.loader(images, workers: 1)) { skipped.append($0) }
    var again: [Int] = []
    #expect(try Self.batches(Self.loader(images, workers: 5)) { again.append($0) } == one && again == skipped)
    #expect(Set(skipped) == damaged)
    let places = (0..<33).filter { damaged.contains(order[$0]) }
    #expect(places.count == 3)
    for place in 0..<33 {
      let (batch, position) = (place / 5, place % 5)
      let part = position * 108..<(position + 1) * 108
      if !places.contains(place) {
        #expect(one[batch].samples[position] == order[place])
        #expect(one[batch].images[part] == whole[batch].images[part])
        continue
      }
      // The next that can be read, changed by the numbers of the one that cannot.
      var next = order[place]
      while damaged.contains(next) { next = (next + 1) % 33 }
      let transform = TrainingTransform(
        Self.augmentation, height: 6, width: 6, normalization: TinyRun.normalization, seed: 5)
      var expected = [Float](repeating: 0, count: 108)
      try images.withPhotograph(at: next) { transform($0, epoch: 1, sample: order[place], to: &expected) }
      #expect(one[batch].samples[position] == next && Array(one[batch].images[part]) == expected)
      #expect(one[batch].labels[position] == Int32(images.label(at: next)))
    }
  }

  @Test func notManyInARow() throws {
    let images = Photographs(count: 70, damaged: Set(0..<70), skipsDamaged: true)
    let found = error { try Self.batches(Self.loader(images, workers: 2)) }
    #expect("\(try #require(found))".hasSuffix("truncated; nor can the 49 behind it be read"))
  }

  @Test func evaluationsLeaveThemOut() throws {
    let directory = try TemporaryDirectory()
    let network = try TinyRun.network()
    func rows(_ images: Photographs, views: Int = 1) throws -> (
      rows: [Substring], skipped: [Int], images: Int
    ) {
      var evaluator = Evaluator(
        network: network, normalization: TinyRun.normalization, batchSize: 5, threads: 1)
      var skipped: [Int] = []
      evaluator.onSkipped = { skipped.append($0.sample) }
      evaluator.workers = 3
      evaluator.viewsPerImage = views
      let result = try evaluator.evaluate(images, predictions: directory("rows.csv"))
      let text = String(decoding: try contents(ofFile: directory("rows.csv")), as: UTF8.self)
      return (Array(text.split(separator: "\n").dropFirst()), skipped, result.images)
    }
    let whole = try rows(Photographs(count: 17))
    // All of the second batch too.
    let damaged: Set<Int> = [1, 5, 6, 7, 8, 9, 16]
    let rest = try rows(Photographs(count: 17, damaged: damaged, skipsDamaged: true))
    #expect(rest.rows == whole.rows.enumerated().filter { !damaged.contains($0.offset) }.map(\.element))
    #expect(rest.skipped == damaged.sorted() && rest.images == 10 && whole.images == 17)
    #expect(error { try rows(Photographs(count: 17, damaged: [6])) } == Photographs.problem(6))
    let none = error { try rows(Photographs(count: 4, damaged: Set(0..<4), skipsDamaged: true)) }
    #expect("\(try #require(none))".contains("not one of 4 images of \"photographs\" can be read"))
  }

  @Test func normalizationIsMeasuredOnSomePhotographs() throws {
    let images = Photographs(count: 200)
    let some = try Normalization(measuring: images, photographs: 50)
    #expect(images.counts.started == 50)
    #expect(try Normalization(measuring: images, photographs: 50) == some)
    let all = try Normalization(measuring: images)
    #expect(images.counts.started == 300 && all != some)
    for channel in 0..<3 { #expect(abs(all.mean[channel] - some.mean[channel]) < 0.05) }
    let damaged = Photographs(count: 200, damaged: Set(0..<20), skipsDamaged: true)
    #expect(abs(try Normalization(measuring: damaged).mean[0] - all.mean[0]) < 0.02)
    #expect(
      error { try Normalization(measuring: Photographs(count: 9, damaged: [4])) } == Photographs.problem(4))
  }

  // MARK: Runs

  private func configuration(accumulating: Int = 1) -> TrainingConfiguration {
    var configuration = TinyRun.configuration(epochs: 2)
    configuration.augmentation = Self.augmentation
    configuration.accumulationSteps = accumulating
    return configuration
  }

  /// The state is written, and the run ends with the bits of one that nothing happened to, once the file is mended.
  @Test(arguments: [1, 2])
  func aDamagedImageEndsARunThatGoesOn(accumulating: Int) throws {
    let directory = try TemporaryDirectory()
    let configuration = configuration(accumulating: accumulating)
    let (whole, test) = (Photographs(count: 33), Photographs(count: 7))
    let undisturbed = try TinyRun.network()
    try Trainer(network: undisturbed, configuration: configuration, data: TinyRun.split(whole, test)).run()

    let order = try configuration.trainingBatches(of: TinyRun.split(whole, test)).sampleOrder(epoch: 0)
    let damaged = Photographs(count: 33, damaged: [order[17]])
    let run = try RunDirectory.create(directory("run"))
    let trainer = try Trainer(
      network: try TinyRun.network(), configuration: configuration, data: TinyRun.split(damaged, test),
      directory: run)
    let found = try #require(error { try trainer.run() })
    #expect("\(found)".hasPrefix("\(order[17]).jpg: truncated (the run's state is written: "))
    // 15 images are in front of its batch; an update of two batches begins again.
    let state = try TrainingState(path: run.statePath)
    #expect(state.position.batch == (accumulating == 1 ? 3 : 2))

    var resumed = configuration
    (resumed.workers, resumed.threads) = (3, 2)
    let network = try TinyRun.network(seed: 9)
    try Trainer(
      network: network, configuration: resumed, data: TinyRun.split(whole, test), directory: run,
      resuming: try TrainingState(path: RunDirectory.open(run.path).statePath)
    ).run()
    #expect(network.bits == undisturbed.bits)
  }

  /// Or without it, which is told once; as is one of the images that evaluate.
  @Test func aRunGoesOnWithoutDamagedImages() throws {
    let directory = try TemporaryDirectory()
    var configuration = configuration()
    let run = try RunDirectory.create(directory("run"))
    let test = Photographs(count: 7, damaged: [3])
    let trainer = try Trainer(
      network: try TinyRun.network(), configuration: configuration,
      data: TinyRun.split(Photographs(count: 33), test), directory: run)
    #expect("\(try #require(error { try trainer.run() }))".hasPrefix("3.jpg: truncated (the run's state"))
    #expect(try TrainingState(path: run.statePath).position.batch == 7)

    configuration.skipDamaged = true
    var told: [OctNetError] = []
    let skipping = TinyRun.split(
      Photographs(count: 33, damaged: [8, 20], skipsDamaged: true),
      Photographs(count: 7, damaged: [3], skipsDamaged: true))
    let resumed = try Trainer(
      network: try TinyRun.network(), configuration: configuration, data: skipping, directory: run,
      resuming: try TrainingState(path: RunDirectory.open(run.path).statePath)
    ) { event in
      if case .imageSkipped(let problem) = event { told.append(problem) }
    }
    let summary = try resumed.run()
    #expect(summary.results.last?.evaluation.images == 6 && summary.results.epochs == 2)
    #expect(told.count == 3 && Set(told.map(\.description)).count == 3)
  }
}
