#if Images
  import Foundation
  import OctNet
  @testable import OctNetTensorBoard
  import Testing

  /// Images in class folders, from training to predicting.
  struct PredictTests {
    /// folder/{train,test}/{blue,red}/N.png, 32×32, of a tint and some noise.
    private func makeFolder(_ runner: CommandRunner) throws {
      var stream = RandomStream(seed: 5, "colours")
      for (half, count) in [("train", 24), ("test", 6)] {
        for name in ["blue", "red"] {
          let folder = runner.path("folder/\(half)/\(name)")
          try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
          for index in 0..<count {
            let tint = UInt8(120 + stream.uniform() * 100), rest = UInt8(40 + stream.uniform() * 60)
            var image = OctNetTensorBoard.RGBImage(
              width: 32, height: 32, fill: name == "red" ? (tint, rest, rest) : (rest, rest, tint))
            image.fill(x: index % 20, y: 5, width: 9, height: 9, (rest, tint, rest))
            try Data(PNGEncoder.encode(image)).write(
              to: URL(fileURLWithPath: folder + "/\(index).png"))
          }
        }
      }
    }

    private struct Prediction: Decodable {
      struct Class: Decodable { let name: String, probability: Double }
      let image: String, classes: [Class]
    }

    @Test func predictsWhatEvaluationSees() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      let trained = try runner.run(
        "train", "--data", "folder:" + runner.path("folder"), "--model", "resnet20", "--alpha", "0.25",
        "--batch-size", "8", "--epochs", "10", "--learning-rate", "0.02", "--schedule", "constant", "--out",
        runner.path("run"),
        "--no-tensorboard")
      try #require(trained.status == 0, "\(trained.errors)")
      let checkpoint = runner.path("run/last.safetensors")
      let evaluated = try runner.run(
        "eval", "--checkpoint", checkpoint, "--predictions", runner.path("predictions.csv"), "--json")
      try #require(evaluated.status == 0, "\(evaluated.errors)")
      let rows = try runner.text("predictions.csv").split(separator: "\n").dropFirst().map {
        $0.split(separator: ",").compactMap { Double($0) }
      }
      // Folders and files in the order of their names.
      let paths = ["blue", "red"].flatMap { name in
        (0..<6).map { runner.path("folder/test/\(name)/\($0).png") }
      }
      let predicted = try runner.run(["predict", "--checkpoint", checkpoint, "--json"] + paths)
      try #require(predicted.status == 0, "\(predicted.errors)")
      let predictions = try JSONDecoder().decode([Prediction].self, from: Data(predicted.output.utf8))
      #expect(predictions.map(\.image) == paths && rows.count == paths.count)
      for (row, prediction) in zip(rows, predictions) {
        let exponentials = row[2...].map { exp($0) }
        for (index, name) in ["blue", "red"].enumerated() {
          let probability = exponentials[index] / exponentials.reduce(0, +)
          let found = try #require(prediction.classes.first { $0.name == name }).probability
          #expect(abs(found - probability) < 1e-6)
        }
      }
      // So different colours are learned in ten short epochs.
      let right = zip(rows, predictions).filter { $1.classes.first?.name == ($0[1] == 0 ? "blue" : "red") }
      #expect(right.count == paths.count)

      let table = try runner.run("predict", "--checkpoint", checkpoint, "--csv", "--top-k", "1", paths[0])
      #expect(table.output.hasPrefix("image,rank,class,probability\n"))
      #expect(table.output.split(separator: "\n").count == 2)
    }

    /// Other crops and views score and predict alike, and a run's crop is that of its checkpoint.
    @Test func cropsAndViewsAreThoseOfTheCheckpoint() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      let trained = try runner.run(
        "train", "--data", "folder:" + runner.path("folder"), "--model", "resnet20", "--alpha", "0.25",
        "--image-size", "16", "--crop-ratio", "0.6", "--eval-interpolation", "bicubic", "--batch-size", "8",
        "--epochs", "1", "--learning-rate", "0.02", "--out", runner.path("run"), "--no-tensorboard")
      try #require(trained.status == 0, "\(trained.errors)")
      #expect(try runner.text("run/config.json").contains("\"cropRatio\" : 0.6"))
      let checkpoint = runner.path("run/last.safetensors"), path = runner.path("folder/test/blue/0.png")
      func score(_ flags: [String]) throws -> [Double] {
        let outcome = try runner.run(
          ["eval", "--checkpoint", checkpoint, "--predictions", runner.path("p.csv")] + flags)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let row = try runner.text("p.csv").split(separator: "\n")[1]
        let logits = row.split(separator: ",").dropFirst(2).compactMap { Double($0) }
        let exponentials = logits.map { exp($0) }
        return exponentials.map { $0 / exponentials.reduce(0, +) }
      }
      func predict(_ flags: [String]) throws -> [Double] {
        let outcome = try runner.run(["predict", "--checkpoint", checkpoint, "--json", path] + flags)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let found = try JSONDecoder().decode([Prediction].self, from: Data(outcome.output.utf8))
        return ["blue", "red"].compactMap { name in found[0].classes.first { $0.name == name }?.probability }
      }
      var seen: [[Double]] = []
      for flags in [
        [], ["--crop-ratio", "1"], ["--eval-interpolation", "bilinear"], ["--crops", "flip"],
        ["--crops", "ten"],
        ["--crops", "six"],
      ] {
        let (scored, predicted) = (try score(flags), try predict(flags))
        #expect(zip(scored, predicted).allSatisfy { abs($0 - $1) < 1e-6 } && predicted.count == 2, "\(flags)")
        #expect(!seen.contains(scored), "\(flags)")
        seen.append(scored)
      }
      let refused = try runner.run(
        "eval", "--checkpoint", checkpoint, "--on", "train", "--crops", "ten")
      #expect(refused.errorMessage?.hasPrefix("--crops: six and ten belong to") == true, "\(refused.errors)")
      #expect(
        try runner.run("predict", "--checkpoint", checkpoint, path, "--resize", "20", "--crops", "flip")
          .status == 64)
    }

    /// The good images are predicted; each bad one has its line, and the exit code says so.
    @Test func badFilesDoNotStopTheOthers() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      try runner.train("run")
      let good = runner.path("folder/test/red/0.png")
      try Data("no image".utf8).write(to: URL(fileURLWithPath: runner.path("text.png")))
      try Data().write(to: URL(fileURLWithPath: runner.path("empty.jpg")))
      let outcome = try runner.run(
        "predict", "--checkpoint", runner.path("run/last.safetensors"), "--csv", runner.path("text.png"),
        good,
        runner.path("empty.jpg"), runner.path("missing.png"))
      #expect(outcome.status == 1)
      #expect(outcome.errorLines.count == 3)
      for (line, name) in zip(outcome.errorLines, ["text.png", "empty.jpg", "missing.png"]) {
        #expect(line.hasPrefix("octcli: error: ") && line.contains(name))
      }
      #expect(outcome.output.contains(good))
    }

    /// Logits that overflow are none: a line for each image, nothing on standard output, exit 1.
    @Test(arguments: [[], ["--json"], ["--csv"]])
    func noPredictionOfWhatIsNoNumber(format: [String]) throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      try runner.train("run")
      let path = runner.path("run/last.safetensors")
      var file = try SafetensorsFile(path: path)
      // Weights that are finite, as those of a file must be; features are not negative.
      for name in ["fc.weight", "fc.bias"] {
        let index = try #require(file.entries.firstIndex { $0.name == name })
        let shape = file.entries[index].shape
        let values = [Float](repeating: .greatestFiniteMagnitude, count: shape.reduce(1, *))
        file.entries[index] = .init(name: name, tensor: Tensor(shape: shape, values: values))
      }
      try file.write(to: path)
      let images = ["red/0.png", "blue/1.png"].map { runner.path("folder/test/\($0)") }
      let outcome = try runner.run(["predict", "--checkpoint", path] + images + format)
      #expect(outcome.status == 1)
      #expect(
        outcome.errorLines.map(String.init)
          == images.map {
            "octcli: error: \($0): the network gives logits that are not finite numbers, and so no prediction"
          })
      // A list of none is a list.
      #expect(outcome.output.filter { !$0.isWhitespace } == (format == ["--json"] ? "[]" : ""))
    }

    /// How photographs were turned is said by the checkpoint; flags say otherwise.
    @Test func photographsAreTurnedAsInTraining() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      let photograph = Example.root.appendingPathComponent("Tests/OctNetImagesTests/Fixtures/turned.jpg")
      for half in ["train", "test"] {
        for name in ["a", "b"] {
          let folder = runner.path("folder/\(half)/\(name)")
          try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
          try FileManager.default.copyItem(atPath: photograph.path, toPath: folder + "/1.jpg")
        }
      }
      let image = runner.path("folder/test/a/1.jpg")
      for (name, flags) in [("plain", []), ("turned", ["--exif-orientation"])] {
        let trained = try runner.run(
          [
            "train", "--data", "folder:" + runner.path("folder"), "--image-size", "32", "--model", "resnet20",
            "--batch-size", "2", "--epochs", "1", "--out", runner.path(name), "--no-tensorboard",
          ] + flags)
        try #require(trained.status == 0, "\(trained.errors)")
      }
      func predict(_ name: String, _ flags: String...) throws -> String {
        let outcome = try runner.run(
          ["predict", "--checkpoint", runner.path(name + "/last.safetensors"), "--json", image] + flags)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
      }
      func score(_ name: String, _ flags: String...) throws -> String {
        let outcome = try runner.run(
          ["eval", "--checkpoint", runner.path(name + "/last.safetensors"), "--json"] + flags)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
      }
      #expect(try predict("turned") == predict("turned", "--exif-orientation"))
      #expect(try predict("turned") != predict("turned", "--no-exif-orientation"))
      #expect(try predict("plain") == predict("plain", "--no-exif-orientation"))
      #expect(try predict("plain") != predict("plain", "--exif-orientation"))
      #expect(try score("turned") == score("turned", "--exif-orientation"))
      #expect(try score("turned") != score("turned", "--no-exif-orientation"))
      #expect(try score("plain") != score("plain", "--exif-orientation"))
      // Other data has no photographs to turn.
      let other = try runner.run(
        "eval", "--checkpoint", runner.path("turned/last.safetensors"), "--data", "synthetic", "--limit-test",
        "2",
        "--classes-by-number")
      #expect(!other.errors.contains("--exif-orientation"), "\(other.errors)")
    }

    /// What is wrong with a folder is named.
    @Test func foldersAreChecked() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      func message() throws -> String {
        let outcome = try runner.run(
          "train", "--data", "folder:" + runner.path("folder"), "--epochs", "1", "--out", runner.path("run"),
          "--in-memory")
        return try #require(outcome.errorMessage, "\(outcome)")
      }
      let manager = FileManager.default
      try manager.moveItem(atPath: runner.path("folder/test/red"), toPath: runner.path("folder/test/rot"))
      #expect(
        try message().contains("not among those of the training images: rot, expected some of blue, red"))
      try manager.moveItem(atPath: runner.path("folder/test/rot"), toPath: runner.path("folder/test/red"))
      for name in ["a.jpeg", "b.png"] {
        try Data("no image".utf8).write(to: URL(fileURLWithPath: runner.path("folder/test/red/\(name)")))
      }
      let found = try message()
      #expect(found.contains("folder/test/red/a.jpeg") && found.contains("folder/test/red/b.png"))
      try manager.moveItem(atPath: runner.path("folder/train"), toPath: runner.path("folder/training"))
      #expect(
        try message().hasSuffix(
          "expected train/CLASS/*.jpg and test/CLASS/*.jpg (or val/CLASS) in it, found test/, training/"))
      #expect(!manager.fileExists(atPath: runner.path("run")))
    }

    /// What was left out once is left out when the run goes on, and said both times.
    @Test func damagedImagesAreSkipped() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      try Data("no image".utf8).write(to: URL(fileURLWithPath: runner.path("folder/train/red/0.jpeg")))
      let arguments = [
        "train", "--data", "folder:" + runner.path("folder"), "--model", "resnet20", "--batch-size", "8",
        "--epochs",
        "1", "--limit-train", "17", "--out", runner.path("run"), "--no-tensorboard",
      ]
      let refused = try runner.run(arguments)
      #expect(try #require(refused.errorMessage).contains("0.jpeg"))
      let trained = try runner.run(arguments + ["--skip-damaged"])
      try #require(trained.status == 0, "\(trained.errors)")
      let note = "went on without 1 image that cannot be read"
      #expect(trained.errors.contains(note) && trained.errors.contains("left out: "), "\(trained.errors)")
      let resumed = try runner.run("train", "--resume", runner.path("run"), "--epochs", "2")
      #expect(resumed.status == 0 && resumed.errors.contains(note), "\(resumed.errors)")
      let other = try runner.run("train", "--skip-damaged", "--out", runner.path("other"))
      #expect(
        other.errorMessage
          == "--skip-damaged: belongs to folder:DIR, csv:FILE and tar:PATTERN, the data is synthetic")

      // To score, nothing needs to be there to train on.
      try FileManager.default.removeItem(atPath: runner.path("folder/train"))
      let evaluated = try runner.run("eval", "--checkpoint", runner.path("run/last.safetensors"), "--json")
      #expect(evaluated.status == 0, "\(evaluated.errors)")
    }

    /// One that the evaluation comes to: the run's state is there, and goes on without it; and a list does as a folder.
    @Test func aDamagedImageEndsARunThatGoesOn() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      try Data("no image".utf8).write(to: URL(fileURLWithPath: runner.path("folder/test/red/0.jpeg")))
      let settings = [
        "--model", "resnet20", "--batch-size", "8", "--epochs", "2", "--augment", "resized-crop,flip",
        "--no-tensorboard",
      ]
      let folder = ["train", "--data", "folder:" + runner.path("folder")] + settings
      let ended = try runner.run(folder + ["--out", runner.path("run"), "--workers", "3"])
      #expect(ended.status == 1)
      #expect(
        ended.errors.hasSuffix(
          "folder/test/red/0.jpeg: not a PNG, JPEG, WebP, TIFF or BMP by its first bytes (the run's state is written: it goes on with "
            + "the image mended, or with --skip-damaged)\n"), "\(ended.errors)")
      let resumed = try runner.run(
        "train", "--resume", runner.path("run"), "--skip-damaged", "--workers", "1")
      try #require(resumed.status == 0, "\(resumed.errors)")
      #expect(resumed.errors.contains("resumed after the training of epoch 1"), "\(resumed.errors)")

      // In memory and from a list: the same bits.
      var rows = ["path,label,split"]
      for (half, count) in [("train", 24), ("test", 6)] {
        for name in ["blue", "red"] {
          // In the folder's order: 0, 1, 10, 11, …
          for index in (0..<count).map({ "\($0)" }).sorted() {
            rows.append("folder/\(half)/\(name)/\(index).png,\(name),\(half)")
          }
        }
      }
      rows.insert("folder/test/red/0.jpeg,red,test", at: 1)
      try Data(rows.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: runner.path("list.csv")))
      let listed = try runner.run(
        ["train", "--data", "csv:" + runner.path("list.csv")] + settings
          + ["--out", runner.path("listed"), "--skip-damaged", "--in-memory"])
      try #require(listed.status == 0, "\(listed.errors)")
      let last = ["run", "listed"].map { runner.path("\($0)/last.safetensors") }
      let weights = try last.map { try Checkpoint(path: $0).state }
      #expect(weights[0].map(\.name) == weights[1].map(\.name) && weights[0].count > 10)
      for (one, two) in zip(weights[0], weights[1]) {
        #expect("\(one.value)" == "\(two.value)", "\(one.name)")
      }
      let evaluated = try runner.run("eval", "--checkpoint", last[1], "--skip-damaged", "--json")
      #expect(evaluated.status == 0 && evaluated.errors.contains("went on without 1 image"), "\(evaluated)")
    }

    /// A network of one channel sees Pillow's gray: (10, 200, 30) is 124.
    @Test func grayNetworksPredict() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      let side = 16, count = 12
      func idx(_ sizes: [Int], _ values: [UInt8]) -> Data {
        Data([0, 0, 8, UInt8(sizes.count)] + sizes.flatMap { [0, 0, 0, UInt8($0)] } + values)
      }
      try FileManager.default.createDirectory(atPath: runner.path("idx"), withIntermediateDirectories: true)
      let labels = (0..<count).map { UInt8($0 % 2) }
      var pixels = labels.flatMap { label in (0..<side * side).map { UInt8(60 + 90 * Int(label) + $0 % 7) } }
      for half in ["train", "t10k"] {
        // The first test image is of one gray.
        if half == "t10k" {
          pixels.replaceSubrange(0..<side * side, with: repeatElement(124, count: side * side))
        }
        try idx([count, side, side], pixels).write(
          to: URL(fileURLWithPath: runner.path("idx/\(half)-images-idx3-ubyte")))
        try idx([count], labels).write(to: URL(fileURLWithPath: runner.path("idx/\(half)-labels-idx1-ubyte")))
      }
      let trained = try runner.run(
        "train", "--data", "idx:" + runner.path("idx"), "--model", "resnet20", "--batch-size", "6",
        "--epochs", "2",
        "--out", runner.path("run"), "--no-tensorboard")
      try #require(trained.status == 0, "\(trained.errors)")
      let checkpoint = runner.path("run/last.safetensors")
      let evaluated = try runner.run(
        "eval", "--checkpoint", checkpoint, "--predictions", runner.path("predictions.csv"))
      try #require(evaluated.status == 0, "\(evaluated.errors)")
      let logits = try #require(try runner.text("predictions.csv").split(separator: "\n").dropFirst().first)
        .split(separator: ",").dropFirst(2).compactMap { Double($0) }
      let colour = OctNetTensorBoard.RGBImage(width: side, height: side, fill: (10, 200, 30))
      try Data(PNGEncoder.encode(colour)).write(to: URL(fileURLWithPath: runner.path("colour.png")))
      let predicted = try runner.run(
        "predict", "--checkpoint", checkpoint, "--json", runner.path("colour.png"))
      try #require(predicted.status == 0, "\(predicted.errors)")
      let classes = try #require(
        try JSONDecoder().decode([Prediction].self, from: Data(predicted.output.utf8)).first
      ).classes
      let exponentials = logits.map { exp($0) }
      for entry in classes {
        let index = try #require(Int(entry.name))
        #expect(abs(entry.probability - exponentials[index] / exponentials.reduce(0, +)) < 1e-6)
      }
      #expect(classes.count == 2)
    }

    /// Names that are no text: two that look alike when they are shown as text are two files.
    @Test func namesNeedNotBeText() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      try runner.train("run")
      let script = """
        a=$(printf 'caf\\351.png') b=$(printf 'caf\\350.png')
        cp folder/test/red/0.png "$a" && exec "$0" predict --checkpoint run/last.safetensors --csv --top-k 1 "$a" "$b"
        """
      let outcome = try runner.run(script: script, [])
      #expect(outcome.status == 1)
      #expect(outcome.output.contains("\ncaf\\xe9.png,1,"), "\(outcome)")
      #expect(outcome.errors == "octcli: error: caf\\xe8.png: cannot open: No such file or directory\n")
    }
  }
#endif
