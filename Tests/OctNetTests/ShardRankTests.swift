#if Images
  import Foundation
  import OctNet
  import OctNetImages
  import Synchronization
  import Testing

  @testable import OctNetData
  @testable import OctNetTraining

  /// Ranks that train on images in tars: the bits of one process, and no image that another rank's shards have.
  @Suite struct ShardRankTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "octnet-" + UUID().uuidString)

    /// Two shards of 11 images to learn from, and one with 9.
    private init() throws {
      try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
      for (name, first, count) in [("train-0", 0, 11), ("train-1", 11, 11), ("test-0", 40, 9)] {
        var bytes: [UInt8] = []
        for number in first..<first + count {
          bytes += Self.entry("\(number).bmp", Self.bitmap(number))
          bytes += Self.entry("\(number).cls", Array("\(number * 7 % 4)".utf8))
        }
        try Data(bytes + [UInt8](repeating: 0, count: 1024)).write(
          to: root.appendingPathComponent(name + ".tar"))
      }
      try Data("red\ngreen\nblue\ngrey\n".utf8).write(to: root.appendingPathComponent("classes.txt"))
    }

    /// 12×8 pixels of noise in a colour.
    private static func bitmap(_ number: Int) -> [UInt8] {
      func bytes(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
      var stream = RandomStream(seed: 3, "bitmap", number)
      let pixels = (0..<12 * 8 * 3).map { place in
        UInt8(stream.index(below: 150)) + (place % 3 == number * 7 % 4 ? 100 : 20)
      }
      let fields = [
        (0x4d42, 2), (54 + pixels.count, 4), (0, 4), (54, 4), (40, 4), (12, 4), (8, 4), (1, 2), (24, 2),
        (0, 4),
        (pixels.count, 4), (0, 16),
      ]
      return fields.flatMap { bytes($0.0, min($0.1, 8)) + bytes(0, max(0, $0.1 - 8)) } + pixels
    }

    private static func entry(_ name: String, _ content: [UInt8]) -> [UInt8] {
      var block = [UInt8](repeating: 0, count: 512)
      func write(_ text: String, at place: Int) {
        for (offset, byte) in text.utf8.enumerated() { block[place + offset] = byte }
      }
      write(name, at: 0)
      write(String(content.count, radix: 8), at: 124)
      write(String(repeating: " ", count: 8), at: 148)
      write("0", at: 156)
      write(String(block.reduce(0) { $0 + Int($1) }, radix: 8) + "\0", at: 148)
      return block + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    private struct Trained: Sendable {
      var weights: [String: [UInt64]] = [:]
      var scores: [Double] = []
      /// Training images that were read in each epoch.
      var reads = 0
    }

    private static func train(_ pattern: String, _ exchange: (any RankExchange)?) throws -> Trained {
      var options = ImageFolder.Options()
      (options.size, options.shuffleBuffer, options.normalization) = (6, 5, TinyRun.normalization)
      var data = try ImageFolder(shards: pattern, options: options).split().value
      let counted = CountedImages(base: data.train)
      data.train = counted
      var configuration = TinyRun.configuration(threads: 1, epochs: 2)
      (configuration.shards, configuration.batchSize, configuration.shuffleBuffer) = (4, 8, 5)
      configuration.augmentation = Augmentation(
        cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop())
      var hooks = TrainerHooks()
      (hooks.ranks, hooks.bucket) = (exchange, 96)
      var trained = Trained()
      let trainer = try Trainer(
        network: try TinyRun.network(), configuration: configuration, data: data, hooks: hooks
      ) { event in
        guard case .epochFinished(let report) = event, let test = report.test else { return }
        trained.scores += [test.loss, test.top1]
      }
      try trainer.run()
      trained.weights = trainer.evaluatedNetwork.bits
      trained.reads = counted.reads.count.withLock { $0 }
      return trained
    }

    /// Each makes the indices of the shards, all at once.
    @Test(arguments: [2, 4])
    func ranksHaveTheBitsOfOneProcess(ranks: Int) throws {
      defer { try? FileManager.default.removeItem(at: root) }
      let pattern = root.path + "/*.tar"
      let all = try ThreadRanks.run(ranks) { try Self.train(pattern, $0) }.map { try $0.get() }
      let names = try FileManager.default.contentsOfDirectory(atPath: root.path)
      #expect(
        names.filter { !$0.hasSuffix(".tar") }.sorted()
          == ["classes.txt", "test-0.tar.octidx", "train-0.tar.octidx", "train-1.tar.octidx"])
      let one = try Self.train(pattern, nil)
      #expect(one.scores.count == 4 && one.reads == 2 * 22)
      #expect(all.count == ranks)
      for (rank, found) in all.enumerated() {
        #expect(found.weights == one.weights && found.scores == one.scores, "rank \(rank)")
        #expect(found.reads < one.reads * 2 / 3, "rank \(rank) reads \(found.reads)")
      }
      // Each image once.
      #expect(all.reduce(0) { $0 + $1.reads } == one.reads)
    }
  }

  /// Counts what is read.
  private struct CountedImages: WrappedDataset {
    final class Reads: Sendable { let count = Mutex(0) }

    var base: any Dataset
    let reads = Reads()

    func place(of index: Int) -> Int { index }

    func withPhotograph(
      at index: Int, part: (_ width: Int, _ height: Int) -> PixelBox, _ body: (PixelView) -> Void
    ) throws(OctNetError) {
      reads.count.withLock { $0 += 1 }
      try base.withPhotograph(at: index, part: part, body)
    }
  }
#endif
