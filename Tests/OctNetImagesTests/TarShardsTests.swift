#if Images
  import Foundation
  import OctNet
  @testable import OctNetImages
  import Testing

  /// Images in tars: which ones, under which labels, and the index of each shard.
  @Suite struct TarShardsTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "octnet-" + UUID().uuidString)

    init() throws { try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true) }

    private func remove() { try? FileManager.default.removeItem(at: root) }

    private func path(_ name: String) -> String { root.appendingPathComponent(name).path }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
      try Data(bytes).write(to: root.appendingPathComponent(name))
    }

    /// 16×16, told from each other by the first pixel.
    private func png(_ value: Int) -> [UInt8] {
      var rows: [UInt8] = []
      for row in 0..<16 {
        rows.append(0)
        for column in 0..<16 { rows.append(UInt8((value + 5 * row * column) % 256)) }
      }
      return PNGWriter.file(width: 16, height: 16, depth: 8, rows: rows)
    }

    private func shard(_ values: [(Int, label: String)], inJSON: Bool = false) -> [UInt8] {
      var entries: [(String, [UInt8])] = []
      for (value, label) in values {
        entries.append(("d/\(value).png", png(value)))
        let text = inJSON ? "{\"label\": \(label), \"n\": [1]}" : "\(label)\n"
        entries.append(("d/\(value).\(inJSON ? "json" : "cls")", Array(text.utf8)))
      }
      return TarWriter.file(entries)
    }

    private func folder(
      _ pattern: String, _ change: (inout ImageFolder.Options) -> Void = { _ in }
    ) -> ImageFolder {
      var options = ImageFolder.Options()
      change(&options)
      return ImageFolder(shards: path(pattern), options: options)
    }

    private func values(_ set: any Dataset) throws -> [Int] {
      try (0..<set.count).map { index in
        var pixels = [UInt8](repeating: 0, count: set.imageSize)
        try set.copyPixels(at: index, to: &pixels)
        return Int(pixels[0])
      }
    }

    private func message(_ body: () throws -> Void) -> String? {
      do { try body() } catch { return "\(error)".replacingOccurrences(of: root.path, with: "DIR") }
      return nil
    }

    @Test func webDataset() throws {
      defer { remove() }
      try write("train-0.tar", shard([(1, "10"), (2, "9"), (3, "10")]))
      try write("train-1.tar", shard([(4, "9"), (5, "11")], inJSON: true))
      try write("val-0.tar", shard([(6, "11"), (7, "10")]))
      let loaded = try folder("{train-{0..1},val-0}.tar").split()
      let split = loaded.value
      #expect(loaded.notes.count == 1 && loaded.notes[0].hasSuffix(": no images of 9"))
      #expect(split.train.classNames == ["9", "10", "11"])
      #expect(try values(split.train) == [1, 2, 3, 4, 5] && values(split.test) == [6, 7])
      #expect((0..<5).map(split.train.label) == [1, 0, 1, 0, 2] && (0..<2).map(split.test.label) == [2, 1])
      #expect((0..<5).map(split.train.shard) == [0, 0, 0, 1, 1] && split.train.shuffleBuffer == 10_000)
      // From the indices, and decoded at once.
      let again = try folder("*.tar") { ($0.inMemory, $0.shuffleBuffer) = (true, 2) }.split().value
      #expect(try values(again.train) == [1, 2, 3, 4, 5] && again.train.shuffleBuffer == 2)
      #expect(again.normalization == split.normalization)
      let test = try folder("val-?.tar").test().value
      #expect(try values(test) == [6, 7] && test.classNames == ["10", "11"])
    }

    @Test func tarOfTars() throws {
      defer { remove() }
      let inner = { (numbers: [Int]) in TarWriter.file(numbers.map { ("\($0).png", self.png($0)) }) }
      try write("train.tar", TarWriter.file([("n01.tar", inner([1, 2])), ("n02.tar", inner([3, 4, 5]))]))
      let split = try folder("train.tar") { $0.testShare = 0.3 }.split().value
      #expect(split.train.classNames == ["n01", "n02"] && split.train.shuffleBuffer == nil)
      #expect(split.train.count == 3 && split.test.count == 2)
      #expect(try (values(split.train) + values(split.test)).sorted() == [1, 2, 3, 4, 5])
      #expect((0..<2).map(split.test.label) == [0, 1] && Set((0..<3).map(split.train.shard)).count == 2)
      // The same ones again, and for eval.
      let test = try folder("train.tar") { $0.testShare = 0.3 }.test().value
      #expect(try values(test) == values(split.test))
    }

    @Test func whatIsNoSampleIsTold() throws {
      defer { remove() }
      var bytes = TarWriter.entry("1.png", png(1)) + TarWriter.entry("1.cls", Array("0".utf8))
      bytes += TarWriter.entry("2.png", png(2)) + TarWriter.entry("3.cls", Array("0".utf8))
      bytes += TarWriter.entry("4.txt", [1]) + TarWriter.entry("5.png", type: "2") + TarWriter.end
      try write("a.tar", bytes)
      let expected =
        "DIR/a.tar: left out 1 × .txt file, 1 × image without label, 1 × label without image, 1 × link"
      for _ in 0..<2 {
        let loaded = try folder("a.tar").test()
        #expect(try values(loaded.value) == [1])
        #expect(loaded.notes.map { $0.replacingOccurrences(of: root.path, with: "DIR") } == [expected])
      }
    }

    @Test func hostileShardsAreNamed() throws {
      defer { remove() }
      func tar(_ entries: (String, String)...) -> [UInt8] {
        TarWriter.file(entries.map { ($0.0, Array($0.1.utf8)) })
      }
      let hostile: [([UInt8], String)] = [
        (
          Array(shard([(1, "0")]).dropLast(1100)),
          "byte 1972: truncated: the archive ends after 0 bytes more"
        ),
        (tar(("1.json", "{")), "1.json at byte 512: byte 1: "),
        (tar(("1.json", "[]")), "1.json at byte 512: expected an object"),
        (tar(("1.json", "{\"label\": [1]}")), "1.json at byte 512: expected a text or a number as label"),
        (tar(("1.cls", " \n")), "1.cls at byte 512: an empty label"),
        (
          tar(("1.cls", "a"), ("1.json", "{\"label\": \"b\"}")),
          "1.json at byte 1536: the label b, but a elsewhere"
        ),
        (tar(("1.png", ""), ("1.jpg", "")), "1.jpg at byte 1024: a second image of one sample"),
        (
          tar(("1.cls", String(repeating: "x", count: 5000))),
          "1.cls at byte 512: found 5000 bytes, expected at most"
        ),
        (tar(("1.txt", "")), "expected labelled images in tars, found 1 × .txt file"),
        (tar(("n.tar", "abc")), "byte 512: truncated: the archive ends after 3 bytes more"),
      ]
      for (bytes, expected) in hostile {
        try write("x.tar", bytes)
        unlink(path("x.tar.octidx"))
        let found = message { _ = try folder("x.tar").test() }
        #expect(found?.hasPrefix("DIR/x.tar: \(expected)") == true, "\(found ?? "nothing")")
      }
      for (pattern, expected) in [
        ("no-*.tar", "DIR/no-*.tar: no file fits this pattern"),
        ("no.tar", "DIR/no.tar: cannot open: No such file"),
        ("{a", "data: 'tar:DIR/{a': a brace without its end"),
        ("{a}.tar", "data: 'tar:DIR/{a}.tar': expected {a,b} or {000..007} in braces, found {a}"),
        ("{0..9999}{0..9999}", "data: 'tar:DIR/{0..9999}{0..9999}': names more files than 100000"),
      ] {
        let found = message { _ = try folder(pattern).test() }
        #expect(found?.hasPrefix(expected) == true, "\(found ?? "nothing")")
      }
      try write("y.tar", shard([(1, "0")]))
      #expect(
        message { _ = try folder("y.tar").split() }
          == "DIR/y.tar: no shard has test or val in its name, or is left for it")
      // A damaged image names the shard and the place.
      try write("z.tar", TarWriter.file([("1.png", Array(png(1).prefix(60))), ("1.cls", Array("0".utf8))]))
      let damaged = try folder("z.tar") { $0.size = 16 }.test().value
      let found = message { _ = try values(damaged) }
      #expect(found?.hasPrefix("DIR/z.tar: 1.png at byte 512: ") == true, "\(found ?? "nothing")")
    }

    // MARK: Indices

    @Test func anIndexThatDoesNotFitIsMadeAnew() throws {
      defer { remove() }
      try write("a.tar", shard([(1, "0"), (2, "0")]))
      #expect(try folder("a.tar").test().notes.isEmpty)
      let index = try ShardIndex(path: FilePath(path("a.tar.octidx")))
      #expect(index == (try ShardScan.index(FilePath(path("a.tar")))) && index.records.count == 2)
      #expect(try ShardIndex(bytes: index.bytes, path: "x") == index)

      try write("a.tar", shard([(3, "0"), (4, "0"), (5, "1")]))
      let other = try folder("a.tar").test()
      #expect(try values(other.value) == [3, 4, 5])
      #expect(other.notes.count == 1 && other.notes[0].hasSuffix("; the index is made anew"))
      #expect(other.notes[0].contains("a.tar: has ") && other.notes[0].contains("its index is of one with "))
      #expect(try folder("a.tar").test().notes.isEmpty)

      for change in [{ $0[60] ^= 1 }, { $0.removeLast() }, { $0 = [] }] as [(inout [UInt8]) -> Void] {
        var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path("a.tar.octidx"))))
        change(&bytes)
        try write("a.tar.octidx", bytes)
        let found = try folder("a.tar").test()
        #expect(try values(found.value) == [3, 4, 5] && found.notes.count == 1, "\(found.notes)")
        #expect(try folder("a.tar").test().notes.isEmpty)
      }
    }

    /// Of a shard whose folder cannot be written: in the run's directory, and found there.
    @Test func indicesElsewhere() throws {
      defer { remove() }
      try write("a.tar", shard([(1, "0"), (2, "0")]))
      let shard = FilePath(path("a.tar"))
      let run = RunDirectory(path: path("run"))
      try FileManager.default.createDirectory(atPath: run.path, withIntermediateDirectories: false)
      try run.write([UnsavedShardIndex(shard: shard, bytes: try ShardScan.index(shard).bytes)])
      let names = try FileManager.default.contentsOfDirectory(atPath: run.shardIndexPath)
      #expect(names == [UnsavedShardIndex.name(of: shard)])
      #expect(try values(folder("a.tar") { $0.indexDirectory = run.shardIndexPath }.test().value) == [1, 2])
      // It was read there, and not made beside the shard.
      #expect(!FileManager.default.fileExists(atPath: path("a.tar.octidx")))
    }

    // MARK: Training

    /// Any number of threads, in memory or not, and in parts: the same bits.
    @Test func runsGoOnToTheBit() throws {
      defer { remove() }
      for number in 0..<3 {
        try write("train-\(number).tar", shard((0..<7).map { (number * 7 + $0, "\($0 % 2)") }))
      }
      try write("test-0.tar", shard([(40, "0"), (41, "1")]))
      var settings = TrainingConfiguration(
        model: ModelConfiguration(name: "resnet20", alpha: 0.25, classes: 2, inputHeight: 16, inputWidth: 16),
        data: "tar:x", epochs: 2, batchSize: 4, schedule: LearningRateSchedule(base: 0.01),
        augmentation: Augmentation(
          cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop(), repeats: 2),
        normalization: .cifar10, threads: 1, shuffleBuffer: 5)
      let model = try #require(settings.model)
      func data(inMemory: Bool = false) throws -> DataSplit {
        try folder("*.tar") {
          ($0.size, $0.shuffleBuffer, $0.inMemory, $0.keepsPhotographs) = (16, 5, inMemory, inMemory)
        }.split().value
      }
      let whole = try RunDirectory.create(path("whole"))
      try Trainer(
        network: try model.makeNetwork(seed: 1), configuration: settings, data: try data(), directory: whole
      ).run()

      (settings.workers, settings.threads) = (3, 2)
      let parts = try RunDirectory.create(path("parts"))
      let begun = try Trainer(
        network: try model.makeNetwork(seed: 1), configuration: settings, data: try data(), directory: parts)
      #expect(try begun.run { begun.position.epoch == 0 && begun.position.batch == 3 }.isInterrupted)
      settings.workers = 2
      try Trainer(
        network: try model.makeNetwork(seed: 1), configuration: settings, data: try data(inMemory: true),
        directory: parts, resuming: try TrainingState(path: RunDirectory.open(parts.path).statePath)
      ).run()
      for file in [\RunDirectory.lastPath, \.bestPath, \.logPath] {
        let (expected, found) = (whole[keyPath: file], parts[keyPath: file])
        #expect(FileManager.default.contentsEqual(atPath: expected, andPath: found), "\(found)")
      }
    }
  }
#endif
