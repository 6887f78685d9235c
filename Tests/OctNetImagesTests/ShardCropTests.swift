#if Images
  import Foundation
  import OctNet
  @testable import OctNetImages
  import Testing

  /// JPEGs in a tar against the same ones in a folder: random crops and evaluated images, to the bit.
  @Suite struct ShardCropTests {
    /// Of several sizes, colours and kinds: some large enough to be decoded at a part of their size, one turned.
    private static let files = [
      ("a", ["baseline-420.jpg", "flat.jpg", "gray.jpg", "large.jpg"]),
      ("b", ["cmyk.jpg", "large.jpg", "progressive-422.jpg", "restart.jpg", "turned.jpg"]),
    ]

    /// folder/train/CLASS/… and folder/test/CLASS/…, and the same in train.tar and test.tar.
    private func make(_ root: URL) throws {
      let fixtures = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
      var entries: [(String, [UInt8])] = []
      for (label, names) in Self.files {
        for name in names {
          let bytes = try Data(contentsOf: fixtures.appendingPathComponent(name))
          for half in ["train", "test"] {
            let url = root.appendingPathComponent("folder/\(half)/\(label)/\(name)")
            try FileManager.default.createDirectory(
              at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try bytes.write(to: url)
          }
          let key = "\(label)/" + name.dropLast(".jpg".count)
          entries += [(key + ".jpg", Array(bytes)), (key + ".cls", Array(label.utf8))]
        }
      }
      for name in ["train.tar", "test.tar"] {
        try Data(TarWriter.file(entries)).write(to: root.appendingPathComponent(name))
      }
    }

    private func options(_ evaluation: EvaluationSettings) -> ImageFolder.Options {
      var options = ImageFolder.Options()
      (options.size, options.evaluation, options.appliesOrientation) = (24, evaluation, true)
      options.normalization = .cifar10
      return options
    }

    /// Of each training image the random crop of an epoch, whatever the order.
    private func crops(_ split: DataSplit, epoch: Int) throws -> [Int: [Float]] {
      let loader = BatchLoader(
        dataset: split.train, batchSize: 4, normalization: split.normalization,
        augmentation: Augmentation(
          cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop()),
        shuffleSeed: 3, workers: 2)
      var found: [Int: [Float]] = [:]
      try loader.forEachBatch(epoch: epoch) { batch in
        for place in 0..<batch.count {
          let size = split.train.imageSize
          found[batch.samples[place]] = Array(
            UnsafeBufferPointer(start: batch.images + place * size, count: size))
        }
      }
      return found
    }

    private func evaluated(_ set: any Dataset) throws -> [[UInt8]] {
      try (0..<set.count).map { index in
        var pixels = [UInt8](repeating: 0, count: set.imageSize)
        try set.copyPixels(at: index, to: &pixels)
        return pixels
      }
    }

    @Test func aTarHasTheBitsOfAFolder() throws {
      let root = FileManager.default.temporaryDirectory.appendingPathComponent("octnet-" + UUID().uuidString)
      defer { try? FileManager.default.removeItem(at: root) }
      try make(root)
      var all: [[Int: [Float]]] = []
      for scaledDecoding in [false, true] {
        let options = options(EvaluationSettings(scaledDecoding: scaledDecoding))
        let folder = try ImageFolder(
          directory: root.appendingPathComponent("folder").path, options: options
        ).split().value
        let tar = try ImageFolder(shards: root.path + "/{train,test}.tar", options: options).split().value
        #expect(folder.train.count == 9 && tar.train.count == 9 && tar.test.count == 9)
        #expect((0..<9).map(tar.train.label) == (0..<9).map(folder.train.label))
        #expect(try evaluated(tar.test) == evaluated(folder.test))
        for epoch in 0..<4 {
          let (expected, found) = (try crops(folder, epoch: epoch), try crops(tar, epoch: epoch))
          #expect(expected.count == 9 && found == expected, "epoch \(epoch), scaled: \(scaledDecoding)")
          all.append(expected)
        }
      }
      // Crops differ from epoch to epoch, and where the decoder scales.
      #expect(all[0] != all[1] && all[0] != all[4] && all[0][4] == all[4][4])
    }
  }
#endif
