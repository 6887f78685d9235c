import Foundation
import Testing

import OctNet
@testable import OctNetTensorBoard

struct TensorBoardWriterTests {
  private func train(into directory: RunDirectory) throws -> [TrainingEvent] {
    try TinyRun.train(into: directory) { predictions in
      TensorBoardWriter(directory: directory.path, predictions: predictions) { Issue.record("\($0)") }
    }
  }

  /// Values of a tag and their steps.
  private func scalars(_ tag: String, in events: [Tensorboard_Event]) -> [Int: Float] {
    var values: [Int: Float] = [:]
    for event in events {
      for value in event.summary.value where value.tag == tag {
        #expect(values.updateValue(value.simpleValue, forKey: Int(event.step)) == nil)
      }
    }
    return values
  }

  private func texts(_ tag: String, in events: [Tensorboard_Event]) -> [String] {
    events.flatMap(\.summary.value).filter { $0.tag == tag }
      .map { String(decoding: $0.tensor.stringVal[0], as: UTF8.self) }
  }

  @Test func everythingTheTrainerTellsIsThere() throws {
    let scratch = try ScratchDirectory()
    let directory = try RunDirectory.create(scratch.path + "/run")
    let told = try train(into: directory)
    let files = try EventReader.files(in: directory.path)
    #expect(files.count == 1)
    let events = try EventReader.events(ofFile: files[0])
    #expect(events[0].fileVersion == "brain.Event:2")
    #expect(events[1].sessionLog.status == .start && events[1].step == 1)

    var losses: [Int: Float] = [:]
    var rates: [Int: Float] = [:]
    var accuracies: [Int: Float] = [:]
    var top1: [Int: Float] = [:]
    for event in told {
      switch event {
      case .step(let report):
        losses[losses.count + 1] = Float(report.loss)
        rates[rates.count + 1] = Float(report.learningRate)
      case .epochFinished(let report):
        accuracies[report.epoch * TinyRun.stepsPerEpoch] = Float(report.trainAccuracy)
        top1[report.epoch * TinyRun.stepsPerEpoch] = (report.test?.top1).map(Float.init)
      default: break
      }
    }
    #expect(losses.count == 15 && top1.keys.sorted() == [5, 10, 15])
    #expect(scalars("train/loss", in: events) == losses)
    #expect(scalars("train/learning_rate", in: events) == rates)
    #expect(scalars("train/images_per_second", in: events).values.allSatisfy { $0 > 0 })
    #expect(scalars("epoch/train_accuracy", in: events) == accuracies)
    #expect(scalars("test/top1", in: events) == top1)
    for tag in ["epoch/train_loss", "test/loss", "test/top5"] {
      #expect(scalars(tag, in: events).keys.sorted() == [5, 10, 15])
    }

    let configuration = try #require(texts("run/configuration", in: events).first)
    #expect(
      configuration.hasPrefix(
        "126 parameters, 30 training images, 9 test images, 5 steps an epoch\n\n```json"))
    #expect(configuration.contains("\"batchSize\" : 6"))
    #expect(texts("predictions/table", in: events).count == 3)
    #expect(events.flatMap(\.summary.value).filter { $0.tag == "predictions/images" }.count == 3)
  }

  /// Each setting with its kind, so that numbers sort as numbers.
  @Test func settingsAreHyperParameters() throws {
    let model = ModelConfiguration(name: "resnet20", alpha: 0.125)
    let configuration = TrainingConfiguration(
      model: model, data: "cifar10:/d", epochs: 3, normalization: .cifar10, threads: 1)
    let values = try HyperParameters.values(of: configuration)
    #expect(values["model.alpha"]?.kind == .numberValue(0.125))
    #expect(values["model.name"]?.kind == .stringValue("resnet20"))
    #expect(values["model.lowToHigh"]?.kind == .boolValue(true))
    #expect(values["normalization.mean"]?.kind == .stringValue("0.4914 0.4822 0.4465"))
    let event = try Tensorboard_Event.sessionSettings(values, step: 7)
    let value = try #require(event.summary.value.first)
    #expect(value.tag == "_hparams_/session_start_info" && event.step == 7)
    #expect(value.metadata.pluginData.pluginName == "hparams")
    let content = try Tensorboard_Hparams_HParamsPluginData(
      serializedBytes: value.metadata.pluginData.content)
    #expect(content.sessionStartInfo.hparams == values)
  }

  /// Names stand below the frames: dark, then in the colour of the frame.
  @Test func picturesNameClasses() {
    let images = ImageSet(
      name: "grey", height: 32, width: 32, channels: 1, classNames: ["i", "l"],
      pixels: Array(repeating: 0, count: 2 * 1024), labels: [0, 1])
    let picture = PredictionGrid(images: images).draw([
      Prediction(label: 0, predicted: 0, probability: 0), Prediction(label: 1, predicted: 0, probability: 0),
    ])
    func has(_ color: [UInt8], tile: Int, line: Int) -> Bool {
      let (left, top) = (8 + tile * 80, 8 + 78 + 2 + 9 * line)
      return (0..<8).contains { row in
        (0..<5).contains { column in
          let first = 3 * ((top + row) * picture.width + left + column)
          return Array(picture.bytes[first..<first + 3]) == color
        }
      }
    }
    #expect(has([30, 30, 30], tile: 0, line: 0) && has([46, 160, 67], tile: 0, line: 1))
    #expect(has([30, 30, 30], tile: 1, line: 0) && has([218, 54, 51], tile: 1, line: 1))
    #expect(!has([218, 54, 51], tile: 0, line: 1))
  }

  /// A data set sorted by class must not show one class only.
  @Test func imagesAreOfAllClasses() throws {
    let predictions = TestPredictions(
      network: try TinyRun.network(), dataset: TinyRun.data.test, normalization: TinyRun.normalization,
      threads: 1
    )
    #expect(predictions.images.labels == [0, 0, 0, 0, 1, 1, 1, 1])
    let limited = TestPredictions(
      network: try TinyRun.network(), dataset: TinyRun.data.test, limit: 6,
      normalization: TinyRun.normalization, threads: 1)
    #expect(limited.images.labels == [0, 0, 0, 0, 1, 1])
    #expect(limited.images.pixels.count == 6 * 6 * 6 * 3)
  }

  @Test func predictionsAreThoseOfAnEvaluation() throws {
    let network = try TinyRun.network()
    let predictions = TestPredictions(
      network: network, dataset: TinyRun.data.test, normalization: TinyRun.normalization, threads: 1)
    let evaluator = Evaluator(network: network, normalization: TinyRun.normalization, threads: 1)
    let expected = try evaluator.evaluate(predictions.images)
    var confusion = [[0, 0], [0, 0]]
    var loss = 0.0
    for prediction in try predictions() {
      confusion[prediction.label][try #require(prediction.predicted)] += 1
      let own = prediction.predicted == prediction.label ? prediction.probability : 1 - prediction.probability
      loss -= log(own) / 8
    }
    #expect(confusion == expected.confusion)
    #expect(abs(loss - expected.loss) < 1e-5)
  }

  @Test func theTableNamesClasses() {
    let table = TensorBoardWriter.table(
      [
        Prediction(label: 0, predicted: 1, probability: 0.875),
        Prediction(label: 1, predicted: 1, probability: 1),
      ], classNames: ["dark", "bright|light"])
    #expect(
      table.hasSuffix(
        """
        | row, column | label | prediction | probability |
        |---|---|---|---|
        | 1, 1 | dark | bright\\|light | 87.5 % |
        | 1, 2 | bright\\|light | bright\\|light | 100.0 % |
        """))
  }

  @Test func aResumedRunThatIsCompleteAddsNoFile() throws {
    let scratch = try ScratchDirectory()
    let directory = try RunDirectory.create(scratch.path + "/run")
    _ = try train(into: directory)
    try TinyRun.train(into: directory, resuming: true) { predictions in
      TensorBoardWriter(directory: directory.path, predictions: predictions) { Issue.record("\($0)") }
    }
    #expect(try EventReader.files(in: directory.path).count == 1)
  }

  // MARK: Failures

  /// One report, no more attempts, and the run has its checkpoints as ever.
  @Test func aFullDiskIsReportedOnce() throws {
    let scratch = try ScratchDirectory()
    let directory = try RunDirectory.create(scratch.path + "/run")
    var problems: [String] = []
    let told = try TinyRun.train(into: directory) { predictions in
      TensorBoardWriter(
        directory: directory.path, predictions: predictions, opening: { _ in open("/dev/full", O_WRONLY) },
        onFailure: { problems.append($0.description) })
    }
    #expect(problems.count == 1)
    #expect(problems[0].hasSuffix(": cannot write: No space left on device"))
    #expect(problems[0].hasPrefix(directory.path + "/events.out.tfevents."))
    guard case .finished(let summary) = told.last else {
      Issue.record("the run did not finish")
      return
    }
    #expect(summary.results.epochs == 3 && FileManager.default.fileExists(atPath: directory.statePath))
  }

  @Test func aDirectoryThatIsGoneIsReportedOnce() throws {
    let scratch = try ScratchDirectory()
    let directory = try RunDirectory.create(scratch.path + "/run")
    var problems: [OctNetError] = []
    try TinyRun.train(into: directory) { predictions in
      TensorBoardWriter(directory: scratch.path + "/gone", predictions: predictions) { problems.append($0) }
    }
    #expect(problems.count == 1)
  }
}
