#if Images
  import Foundation
  import Testing

  import OctNet

  /// `octcli predict --data`: images of data sets under their names.
  struct DataPredictTests {
    private struct Prediction: Decodable {
      struct Class: Decodable { let name: String, probability: Double }
      let image: String, label: String?, classes: [Class]

      /// By name: ranks of close ones may differ.
      var probabilities: [String: Double] {
        Dictionary(uniqueKeysWithValues: classes.map { ($0.name, $0.probability) })
      }
    }

    /// photos/{cat,dog}/N.png, train-0.tar with the same images in turn, and a run that learnt from the folder.
    private func make() throws -> CommandRunner {
      let runner = try CommandRunner()
      try ExampleFixtures(runner: runner).makePhotographs("photos")
      try ExampleFixtures(runner: runner).makeTar("train-0.tar")
      let trained = try runner.run(
        "train", "--recipe", "photographs", "--data", "folder:photos", "--model", "resnet20", "--image-size",
        "16", "--epochs", "1", "--warmup-epochs", "0", "--batch-size", "4", "--out", "run")
      try #require(trained.status == 0, "\(trained.errors)")
      return runner
    }

    private func write(_ bytes: some Sequence<UInt8>, _ runner: CommandRunner, _ name: String) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: runner.path(name)))
    }

    private func expectEqual(
      _ found: [Prediction], _ expected: [Prediction], _ location: SourceLocation = #_sourceLocation
    ) {
      #expect(found.count == expected.count, sourceLocation: location)
      for (a, b) in zip(found, expected) {
        for (name, value) in a.probabilities {
          #expect(abs(value - (b.probabilities[name] ?? -1)) < 1e-6, "\(a.image)", sourceLocation: location)
        }
      }
    }

    @Test(arguments: [[], ["--crops", "ten"], ["--crops", "flip", "--crop-ratio", "1"]])
    func dataGivesWhatItsFilesGive(flags: [String]) throws {
      let runner = try make()
      defer { runner.removeScratch() }
      func paths(_ name: String) -> [String] { (0..<12).map { "photos/\(name)/\($0).png" } }
      let files = try predict(runner, flags + paths("cat") + paths("dog"))
      #expect(Set(files.map { $0.classes[0].probability }).count > 20)
      // By code points, and nothing says what they show but where they lie.
      let folder = try predict(runner, flags + ["--data", "folder:photos"])
      #expect(folder.map(\.image) == (paths("cat").sorted() + paths("dog").sorted()))
      let byName = Dictionary(uniqueKeysWithValues: files.map { ($0.image, $0) })
      expectEqual(folder, folder.compactMap { byName[$0.image] })
      #expect(folder.allSatisfy { $0.label == nil })

      let tar = try predict(runner, flags + ["--data", "tar:train-*.tar"])
      #expect(tar.map(\.image) == (0..<20).map { "train-0.tar:\($0).png" })
      #expect(tar.map(\.label) == (0..<20).map { $0 % 2 == 0 ? "cat" : "dog" })
      expectEqual(
        tar, (0..<20).compactMap { byName["photos/\($0 % 2 == 0 ? "cat" : "dog")/\($0 / 2).png"] })
    }

    private func predict(_ runner: CommandRunner, _ arguments: [String]) throws -> [Prediction] {
      let outcome = try runner.run(
        ["predict", "--checkpoint", "run/last.safetensors", "--json"] + arguments)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try JSONDecoder().decode([Prediction].self, from: Data(outcome.output.utf8))
    }

    @Test func imagesNeedNoLabels() throws {
      let runner = try make()
      defer { runner.removeScratch() }
      let fixtures = ExampleFixtures(runner: runner)
      let images = (0..<3).map { fixtures.photograph($0 % 2, $0) }
      // Of a tar of tars; with a label in front of one without; and in a list.
      try write(
        fixtures.tar([
          ("n1.tar", fixtures.tar([("0.png", images[0])])), ("n2.tar", fixtures.tar([("0.png", images[1])])),
        ]),
        runner, "all.tar")
      try write(
        fixtures.tar([
          ("a.png", images[0]), ("a.cls", Array("a cat, wet".utf8)), ("b.png", images[1]), ("c.txt", [1]),
        ]),
        runner, "val-0.tar")
      try write("split,path\ntrain,photos/cat/0.png\nval,photos/dog/1.png\n".utf8, runner, "list.csv")
      let nested = try predict(runner, ["--data", "tar:all.tar"])
      #expect(nested.map(\.image) == ["all.tar:n1.tar:0.png", "all.tar:n2.tar:0.png"])
      #expect(nested.map(\.label) == ["n1", "n2"])
      // Those for validation alone.
      let list = try predict(runner, ["--data", "csv:list.csv"])
      #expect(list.map(\.image) == ["photos/dog/1.png"] && list[0].label == nil)
      let mixed = try runner.run(
        "predict", "--checkpoint", "run/last.safetensors", "--data", "tar:{val,train}-0.tar", "--csv",
        "--top-k", "1")
      let rows = mixed.output.split(separator: "\n")
      #expect(mixed.status == 0 && rows.count == 3 && rows[0] == "image,rank,class,probability,label")
      #expect(mixed.errors == "val-0.tar: left out 1 × .txt file\n")
      #expect(rows[1].hasPrefix("val-0.tar:a.png,1,") && rows[1].hasSuffix(",\"a cat, wet\""))
      #expect(rows[2].hasPrefix("val-0.tar:b.png,1,") && rows[2].hasSuffix(","))
      // Which is nothing to learn from.
      let scored = try runner.run("eval", "--checkpoint", "run/last.safetensors", "--data", "csv:list.csv")
      #expect(
        scored.errorMessage == "list.csv: line 1: expected a header with path and label, found split, path")
    }

    @Test func preparedImagesAreNumbers() throws {
      let runner = try make()
      defer { runner.removeScratch() }
      let prepared = try runner.run(
        "prepare", "tar:train-0.tar", "--test-share", "0.2", "--size", "16", "--out", "t.images")
      try #require(prepared.status == 0, "\(prepared.errors)")
      let found = try predict(runner, ["--data", "prepared:t.images"])
      #expect(found.map(\.image) == ["0", "1", "2", "3"])
      // As eval counts and scores them.
      let scored = try runner.run(
        "eval", "--checkpoint", "run/last.safetensors", "--data", "prepared:t.images", "--predictions",
        "p.csv")
      try #require(scored.status == 0, "\(scored.errors)")
      let rows = try runner.text("p.csv").split(separator: "\n").dropFirst().map {
        $0.split(separator: ",").compactMap { Double($0) }
      }
      #expect(rows.count == 4)
      for (row, prediction) in zip(rows, found) {
        #expect(prediction.label == ["cat", "dog"][Int(row[1])])
        let cat = 1 / (1 + exp(row[3] - row[2]))
        #expect(abs((prediction.probabilities["cat"] ?? -1) - cat) < 1e-6)
      }
    }

    @Test func aDamagedImageIsTold() throws {
      let runner = try make()
      defer { runner.removeScratch() }
      let fixtures = ExampleFixtures(runner: runner)
      try write(
        fixtures.tar([
          ("a.png", fixtures.photograph(0, 1)), ("b.png", Array(fixtures.photograph(1, 1).prefix(99))),
        ]),
        runner, "x.tar")
      let outcome = try runner.run(
        "predict", "--checkpoint", "run/last.safetensors", "--data", "tar:x.tar", "--csv", "--top-k", "1")
      #expect(outcome.status == 1 && outcome.output.split(separator: "\n").count == 2)
      #expect(outcome.output.contains("\nx.tar:a.png,1,"))
      #expect(outcome.errorMessage?.hasPrefix("x.tar: b.png at byte ") == true, "\(outcome.errors)")
    }

    @Test func foldersAndOtherWordsAreTold() throws {
      let runner = try make()
      defer { runner.removeScratch() }
      let predict = ["predict", "--checkpoint", "run/last.safetensors"]
      #expect(
        try runner.run(predict + ["photos/cat"]).errorMessage
          == "photos/cat: expected a file, found a folder; --data folder:DIR takes all in it")
      let unknown = try runner.run(predict + ["--data", "photos"]).errorMessage
      #expect(unknown?.hasPrefix("data: unknown data set 'photos', expected synthetic, cifar10:DIR") == true)
      #expect(unknown?.hasSuffix("with the trait Images also folder:DIR, csv:FILE or tar:PATTERN") == true)
      let empty = runner.path("empty")
      try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
      #expect(
        try runner.run(predict + ["--data", "folder:empty"]).errorMessage
          == "empty: expected .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp files, found none")
    }

    @Test func whatDoesNotGoTogether() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      for (arguments, expected) in [
        (["tar:val-*.tar"], "'tar:val-*.tar' is a data set and no file; say --data 'tar:val-*.tar'"),
        (["synthetic"], "'synthetic' is a data set and no file; say --data synthetic"),
        (["a.png", "--data", "synthetic"], "files of images and --data exclude each other"),
        ([], "expected files of images, or a data set by --data"),
        (["--data", "folder:x", "--resize", "40"], "--resize belongs to files of images; see --crop-ratio"),
      ] {
        let outcome = try runner.run(["predict", "--checkpoint", "none"] + arguments)
        #expect(outcome.status == 64 && outcome.errors.contains(expected), "\(outcome.errors)")
      }
    }
  }
#endif
