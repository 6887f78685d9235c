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

    /// What is wrong with a folder is named.
    @Test func foldersAreChecked() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try makeFolder(runner)
      func message() throws -> String {
        let outcome = try runner.run(
          "train", "--data", "folder:" + runner.path("folder"), "--epochs", "1", "--out", runner.path("run")
        )
        return try #require(outcome.errorMessage, "\(outcome)")
      }
      let manager = FileManager.default
      try manager.moveItem(atPath: runner.path("folder/test/red"), toPath: runner.path("folder/test/rot"))
      #expect(try message().contains("train and test have different classes: red, rot"))
      try manager.moveItem(atPath: runner.path("folder/test/rot"), toPath: runner.path("folder/test/red"))
      for index in 0..<6 { try manager.removeItem(atPath: runner.path("folder/test/red/\(index).png")) }
      #expect(try message().contains("folder/test/red"))
      try Data("no image".utf8).write(to: URL(fileURLWithPath: runner.path("folder/test/red/a.jpeg")))
      #expect(try message().contains("folder/test/red/a.jpeg"))
      #expect(!manager.fileExists(atPath: runner.path("run")))
    }
  }
#endif
