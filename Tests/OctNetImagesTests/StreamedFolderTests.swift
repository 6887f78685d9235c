#if Images
  import Foundation
  import OctNet
  @testable import OctNetImages
  import Testing

  /// Photographs from files, read each time or kept: the same bits.
  @Suite struct StreamedFolderTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "octnet-" + UUID().uuidString)

    /// 14 photographs of two classes to learn from, of many sizes, and 6 to be measured on.
    init() throws {
      var stream = RandomStream(seed: 4, "photographs")
      for (half, count) in [("train", 7), ("test", 3)] {
        for (label, name) in ["cat", "dog"].enumerated() {
          for index in 0..<count {
            // One of them so tall that its columns come first.
            let (width, height) = (
              12 + stream.index(below: 30), 12 + stream.index(below: 30) + (index == 1 ? 90 : 0)
            )
            var rows: [UInt8] = []
            for y in 0..<height {
              rows.append(0)
              rows += (0..<width).map { UInt8(($0 * 3 + y * (2 + label) + stream.index(below: 40)) % 256) }
            }
            try write(
              "\(half)/\(name)/\(index).png",
              PNGWriter.file(width: width, height: height, depth: 8, rows: rows))
          }
        }
      }
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
      let url = root.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: url)
    }

    private func remove() { try? FileManager.default.removeItem(at: root) }

    private func options(_ change: (inout ImageFolder.Options) -> Void = { _ in }) -> ImageFolder.Options {
      var options = ImageFolder.Options()
      options.size = 16
      change(&options)
      return options
    }

    private func folder(_ change: (inout ImageFolder.Options) -> Void = { _ in }) -> ImageFolder {
      ImageFolder(directory: root.path, options: options(change))
    }

    private func pixels(_ set: any Dataset) throws -> [[UInt8]] {
      try (0..<set.count).map { index in
        var pixels = [UInt8](repeating: 0, count: set.imageSize)
        try set.copyPixels(at: index, to: &pixels)
        return pixels
      }
    }

    private func batches(
      _ set: any Dataset, _ normalization: Normalization, workers: Int, crops: Bool
    ) throws -> [[Float]] {
      let loader = BatchLoader(
        dataset: set, batchSize: 4, normalization: normalization,
        augmentation: Augmentation(
          cropPadding: crops ? 0 : 2, horizontalFlip: true,
          randomResizedCrop: crops ? RandomResizedCrop() : nil),
        shuffleSeed: 3, workers: workers)
      var result: [[Float]] = []
      try loader.forEachBatch(epoch: 2) {
        result.append(Array(UnsafeBufferPointer(start: $0.images, count: $0.count * set.imageSize)))
      }
      return result
    }

    /// What is made of a photograph while it is read is what is made of the whole one, under every orientation.
    @Test(arguments: [(17, 90), (90, 17), (40, 100), (33, 34)])
    func streamsResizeAsWholesDo(width: Int, height: Int) throws {
      defer { remove() }
      var stream = RandomStream(seed: 6, "photograph")
      var rows: [UInt8] = []
      for _ in 0..<height {
        rows.append(0)
        rows += (0..<3 * width).map { _ in UInt8(stream.index(below: 256)) }
      }
      for orientation in 1...8 {
        let exif: [UInt8] =
          Array("II*\0".utf8) + [8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, UInt8(orientation), 0, 0, 0] + [
            0, 0, 0, 0,
          ]
        try write(
          "tall.png",
          PNGWriter.signature + PNGWriter.header(width: width, height: height, depth: 8, kind: 2)
            + PNGWriter.chunk("eXIf", exif) + PNGWriter.chunk("IDAT", PNGWriter.stored(rows))
            + PNGWriter.chunk("IEND", []))
        let file = try ImageFile(path: root.appendingPathComponent("tall.png").path)
        for mode in [EvaluationSettings.Mode.center, .squash] {
          let preparation = Preparation(
            size: 16, appliesOrientation: true, evaluation: EvaluationSettings(cropMode: mode))
          var whole = [UInt8](repeating: 0, count: 16 * 16 * 3)
          try file.withDecoded(channels: 3, appliesOrientation: true) {
            preparation.transform.place($0, to: &whole)
          }
          #expect(try file.prepared(preparation).pixels == whole, "\(orientation), \(mode)")
        }
      }
    }

    @Test(arguments: [true, false])
    func memoryChangesNoBit(crops: Bool) throws {
      defer { remove() }
      let streamed = try folder().split().value
      let kept = try folder { ($0.inMemory, $0.keepsPhotographs) = (true, crops) }.split().value
      #expect(streamed.normalization == kept.normalization)
      #expect(streamed.train.hasPhotographs && kept.train.hasPhotographs == crops)
      #expect(!kept.test.hasPhotographs)
      #expect(try pixels(kept.test) == pixels(streamed.test))
      #expect(try pixels(kept.train) == pixels(streamed.train))
      let first = try batches(streamed.train, streamed.normalization, workers: 1, crops: crops)
      #expect(first.count == 4)
      for workers in [2, 5] {
        #expect(try batches(streamed.train, streamed.normalization, workers: workers, crops: crops) == first)
        #expect(try batches(kept.train, streamed.normalization, workers: workers, crops: crops) == first)
      }
    }

    /// What is cut from the squares that evaluation sees has lost what is beside them.
    @Test func cropsComeFromTheFiles() throws {
      defer { remove() }
      let split = try folder().split().value
      let transform = TrainingTransform(
        Augmentation(cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop()),
        height: 16,
        width: 16, normalization: split.normalization, seed: 3)
      var expected: [Int: [Float]] = [:]
      for (sample, name) in ["cat", "dog"].flatMap({ name in (0..<7).map { "train/\(name)/\($0).png" } })
        .enumerated()
      {
        let image = try RasterImage(path: root.appendingPathComponent(name).path)
        var values = [Float](repeating: 0, count: split.train.imageSize)
        image.pixels.withUnsafeBufferPointer {
          guard let base = $0.baseAddress else { return }
          transform(
            PixelView(base, width: image.width, height: image.height), epoch: 2, sample: sample, to: &values)
        }
        expected[sample] = values
      }
      let found = try batches(split.train, split.normalization, workers: 2, crops: true).joined()
      let size = split.train.imageSize
      let images = Set((0..<14).map { Array(Array(found)[$0 * size..<($0 + 1) * size]) })
      #expect(images == Set(expected.values))
    }

    /// Ten views of a file come from one decoding, and are those of each image alone.
    @Test(arguments: [EvaluationSettings.Views.six, .ten])
    func viewsFollowEachOther(views: EvaluationSettings.Views) throws {
      defer { remove() }
      let count = views == .six ? 6 : 10
      let streamed = try folder { $0.evaluation.views = views }.test().value
      let kept = try folder { ($0.evaluation.views, $0.inMemory) = (views, true) }.test().value
      #expect(streamed.count == 6 * count && streamed.imagesPerFile == count)
      let found = try pixels(streamed)
      #expect(try found == pixels(kept) && found.count == 6 * count)
      let one = try ImageFile(path: root.appendingPathComponent("test/dog/1.png").path).views(
        Preparation(size: 16, evaluation: EvaluationSettings(views: views)))
      #expect(one.map(\.pixels) == Array(found[4 * count..<5 * count]))
      // In any order too.
      var last = [UInt8](repeating: 0, count: streamed.imageSize)
      try streamed.copyPixels(at: 5 * count - 1, to: &last)
      #expect(last == found[5 * count - 1] && streamed.label(at: 5 * count - 1) == 1)
    }

    // MARK: Test images taken from training's

    @Test func testsAreTakenWhereThereAreNone() throws {
      defer { remove() }
      let whole = try pixels(folder().split().value.train)
      // Those of a folder win.
      #expect(try folder { $0.testShare = 0.3 }.split().value.train.count == 14)
      try FileManager.default.removeItem(at: root.appendingPathComponent("test"))
      let split = try folder { $0.testShare = 0.3 }.split().value
      #expect((0..<4).map(split.test.label) == [0, 0, 1, 1] && split.train.count == 10)
      let (train, test) = (try pixels(split.train), try pixels(split.test))
      #expect(Set(train + test) == Set(whole))
      #expect(try pixels(folder { $0.testShare = 0.3 }.test().value) == test)

      // Classes without a folder around them, at another place, are the same files.
      let moved = root.appendingPathComponent("train")
      let plain = try ImageFolder(directory: moved.path, options: options { $0.testShare = 0.3 }).split()
        .value
      #expect(try pixels(plain.test) == test && pixels(plain.train) == train)
      for spelling in [moved.path + "/", moved.path + "//", root.path + "/./train"] {
        let other = try ImageFolder(directory: spelling, options: options { $0.testShare = 0.3 }).split()
          .value
        #expect(try pixels(other.test) == test, "\(spelling)")
      }
      for share in [0, 1, -0.1, Double.nan] {
        #expect(
          message { _ = try folder { $0.testShare = share }.split() }?.hasPrefix("testShare: expected")
            == true)
      }
      #expect(
        message { _ = try folder().split() }?.hasSuffix(
          "or say --test-share, such as 0.1, to take test images from those that are there") == true)
      // A class keeps an image to learn from.
      let rest = try folder { $0.testShare = 0.99 }.split().value
      #expect(rest.train.count == 2 && rest.test.count == 12)
    }

    @Test func listsWithoutSplitsAreDivided() throws {
      defer { remove() }
      let rows = (0..<7).flatMap { ["train/cat/\($0).png,cat", "train/dog/\($0).png,dog"] }
      let text = (["path,label"] + rows).joined(separator: "\n")
      _ = try list(text)
      let split = try ImageFolder(
        list: root.appendingPathComponent("list.csv").path, options: options { $0.testShare = 0.2 }
      ).split().value
      #expect(split.train.count == 12 && Set((0..<2).map(split.test.label)) == [0, 1])
      // However the list is spelled.
      for spelling in ["/./list.csv", "//list.csv", "/train/../list.csv"] {
        let other = try ImageFolder(list: root.path + spelling, options: options { $0.testShare = 0.2 })
          .split()
          .value
        #expect(try pixels(other.test) == pixels(split.test), "\(spelling)")
      }
    }

    // MARK: Lists

    private func list(_ text: String) throws -> ImageFolder {
      try write("list.csv", Array(text.utf8))
      return ImageFolder(list: root.appendingPathComponent("list.csv").path, options: options())
    }

    private func message(_ body: () throws -> Void) -> String? {
      do { try body() } catch { return "\(error)".replacingOccurrences(of: root.path, with: "DIR") }
      return nil
    }

    @Test func listsNameFilesAndClasses() throws {
      defer { remove() }
      try write("a, \"b\".png", try Array(Data(contentsOf: root.appendingPathComponent("test/dog/0.png"))))
      let folder = try folder().split().value
      let split = try list(
        "\u{feff}label,split,path,note\r\n10,train,train/cat/0.png,x\r\n9,train,train/dog/3.png,\"y\nz\"\n\n"
          + "9,test,\"a, \"\"b\"\".png\",\r\n10,val,\(root.path)/test/cat/1.png,last"
      ).split().value
      #expect(split.train.classNames == ["9", "10"] && split.test.classNames == ["9", "10"])
      #expect((0..<2).map(split.train.label) == [1, 0] && split.test.label(at: 0) == 0)
      let train = try pixels(folder.train), test = try pixels(folder.test)
      #expect(try pixels(split.train) == [train[0], train[10]] && pixels(split.test) == [test[3]])
      #expect(try pixels(try #require(split.validation)) == [test[1]])

      // Without a split it is to be measured on.
      let alone = try list("path,label\ntest/cat/1.png,dog\ntest/dog/0.png,cat\n").test().value
      #expect(alone.classNames == ["cat", "dog"] && (0..<2).map(alone.label) == [1, 0])
      #expect(try pixels(alone) == [test[1], test[3]])
    }

    @Test func listsAreChecked() throws {
      defer { remove() }
      for (text, expected) in [
        ("", "DIR/list.csv: expected a header with path and label, found an empty file"),
        (
          "file,label\na,b\n",
          "DIR/list.csv: line 1: expected a header with path and label, found file, label"
        ),
        ("path,label\n", "DIR/list.csv: names no images"),
        ("path,label\na,b\nc\n", "DIR/list.csv: line 3: found 1 cell, expected 2 as in the header"),
        ("path,label\n\"a\nb\",\n", "DIR/list.csv: line 2: no label"),
        ("path,label\n\"a,b\n", "DIR/list.csv: line 2: a quotation mark without its end"),
        (
          "path,label\na,b\n",
          "DIR/list.csv: expected a column split that says train, val or test, to train; "
            + "found path, label; or say --test-share, such as 0.1"
        ),
        (
          "path,label,split\na,b,all\n",
          "DIR/list.csv: line 2: expected the split train, val or test, "
            + "found \"all\""
        ),
        ("path,label,split\na,b,train\n", "DIR/list.csv: no row says test or val in the column split"),
        ("path,label,split\na,b,test\n", "DIR/list.csv: no row says train in the column split"),
        (
          "path,label,split\na,b,train\na,c,test\n",
          "DIR/list.csv: found classes that are not among those of the training images: c, expected some of b"
        ),
        (
          "path,label,split\nno.png,b,train\nno.png,b,test\n",
          "DIR/no.png: cannot open: No such file or directory"
        ),
      ] {
        #expect(message { _ = try list(text).split() } == expected)
      }
    }
  }
#endif
