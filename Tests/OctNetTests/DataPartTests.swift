import Testing

import OctNet
@testable import OctNetTraining

/// Images that a run held back or learnt from, found again by what its checkpoint says.
struct DataPartTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func pixels(_ dataset: any Dataset) -> [[UInt8]] {
    (0..<dataset.count).map(dataset.pixels(at:))
  }

  /// A run, and its checkpoint as it is read from its file.
  private func run(
    _ name: String, validation: Double? = nil, limit: Int? = nil, data: DataSplit = TinyRun.data
  ) throws -> (trainer: Trainer, checkpoint: Checkpoint) {
    var configuration = TinyRun.configuration(epochs: 1)
    (configuration.validation, configuration.trainLimit) = (validation, limit)
    let run = try RunDirectory.create(directory(name))
    let trainer = try Trainer(
      network: try TinyRun.network(), configuration: configuration, data: data, directory: run)
    try trainer.run()
    return (trainer, try Checkpoint(path: run.bestPath))
  }

  @Test(arguments: [(6.0, nil), (0.25, 16)] as [(Double, Int?)])
  func thoseHeldBackAreFoundAgain(amount: Double, limit: Int?) throws {
    let (trainer, checkpoint) = try run("run", validation: amount, limit: limit)
    #expect(checkpoint.trainingImages == TrainingImages(limit: limit, validation: amount, seed: 5))
    let held = try TinyRun.data.part(.validation, asIn: checkpoint).images
    let learnt = try TinyRun.data.part(.train, asIn: checkpoint).images
    #expect(pixels(held) == pixels(try #require(trainer.data.validation)))
    #expect(pixels(learnt) == pixels(trainer.data.train))
    #expect(Set(pixels(held)).isDisjoint(with: pixels(learnt)) && held.count > 0)
    #expect(Set(pixels(held) + pixels(learnt)) == Set(pixels(TinyRun.data.train).prefix(limit ?? 22)))
    let test = try TinyRun.data.part(.test, asIn: checkpoint).images
    #expect(pixels(test) == pixels(TinyRun.data.test))
  }

  @Test func theLimitOfARunIsKept() throws {
    let checkpoint = try run("run", limit: 13).checkpoint
    let learnt = try TinyRun.data.part(.train, asIn: checkpoint).images
    #expect(pixels(learnt) == Array(pixels(TinyRun.data.train).prefix(13)))
  }

  /// A file of a run with all images says nothing of them, as before.
  @Test func aFileThatSaysNothingHasAll() throws {
    let checkpoint = try run("run").checkpoint
    #expect(checkpoint.trainingImages == TrainingImages())
    let file = try SafetensorsFile(path: directory("run/best.safetensors"))
    #expect(file.metadata["octnet.training_images"] == nil)
    #expect(try TinyRun.data.part(.train, asIn: checkpoint).images.count == 22)
    var own = TinyRun.data
    own.validation = TinyImages(count: 7, seed: 3)
    #expect(
      pixels(try own.part(.validation, asIn: checkpoint).images) == pixels(TinyImages(count: 7, seed: 3)))
  }

  @Test func whatNothingSaysIsRefused() throws {
    let none = try run("none").checkpoint
    #expect(
      error { try TinyRun.data.part(.validation, asIn: none) }
        == .configuration(
          key: "validation images",
          "the data has none of its own, and the checkpoint names no training images that its run held back"))
    let checkpoint = try run("run", validation: 6).checkpoint
    let others = TinyRun.split(TinyImages(count: 22, seed: 4), TinyRun.data.test)
    for part in [DataPart.validation, .train] {
      guard case .configuration(let key, let problem) = error(of: { try others.part(part, asIn: checkpoint) })
      else {
        Issue.record("\(part) of other data is taken")
        continue
      }
      #expect(key == "\(part.rawValue) images" && problem.contains("other ones"))
    }
    // Nobody asks which ones the test images are.
    #expect(try others.part(.test, asIn: checkpoint).images.count == 9)
  }

  @Test(arguments: [
    #"{"validation":0,"seed":1}"#, #"{"validation":-3,"seed":1}"#, #"{"validation":1.5,"seed":1}"#,
    #"{"validation":1e300,"seed":1}"#, #"{"validation":2}"#, #"{"limit":0}"#, #"{"limit":-1}"#,
    #"{"limit":9223372036854775807}"#, #"{"seed":-1}"#, #"{"other":1}"#, "[]", "",
  ])
  func forgedFilesAreRefused(text: String) throws {
    _ = try run("run")
    let path = directory("run/best.safetensors")
    var file = try SafetensorsFile(path: path)
    file.metadata["octnet.training_images"] = text
    try file.write(to: path)
    guard case .file(path, let problem) = error(of: { try Checkpoint(path: path) }) else {
      Issue.record("\(text) is taken")
      return
    }
    #expect(problem.hasPrefix("octnet.training_images: "))
  }

  /// A setting of more images than there are must not end the process where it is read from a file.
  @Test func moreThanThereAreIsAnError() throws {
    var checkpoint = try run("run", validation: 6).checkpoint
    checkpoint.trainingImages.validation = 1e9
    #expect(error { try TinyRun.data.part(.validation, asIn: checkpoint) } != nil)
  }
}
