import Foundation
import Testing

import OctNet
@testable import OctNetTensorBoard

/// A Python that has TensorBoard.
enum PythonTensorBoard {
  /// `OCTNET_PYTHON`, else `python3` where it has TensorBoard. A Python that was named is not questioned: without
  /// TensorBoard its tests fail.
  static let program: String? = {
    if let named = ProcessInfo.processInfo.environment["OCTNET_PYTHON"] { return named }
    return (try? run("python3", ["-c", "import tensorboard"])) == nil ? nil : "python3"
  }()

  struct Failure: Error { let status: Int32 }

  /// What `program` writes to standard output.
  static func run(_ program: String, _ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(status: process.terminationStatus) }
    return data
  }
}

/// TensorBoard's own readers over runs of the trainer.
@Suite(
  .enabled(
    if: PythonTensorBoard.program != nil,
    "no python3 with the package tensorboard; OCTNET_PYTHON names another Python"))
struct TensorBoardReaderTests {
  struct Contents: Decodable {
    /// The scalars' values by tag: [step, value].
    let scalars: [String: [[Double]]]
    /// Steps of all tags as the server's reader keeps them.
    let steps: [String: [Int]]
    let texts: [String: [String]]
    /// Size in the header, width and height in the file.
    let images: [[Int]]
    /// Settings that are numbers, as the HPARAMS plugin's own messages have them, and whether the run ended well.
    let numbers: [String: Double]
    let isEnded: Bool
  }

  private static let script = """
    import json, struct, sys
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
    old = event_accumulator.EventAccumulator(sys.argv[1])
    new = plugin_event_accumulator.EventAccumulator(sys.argv[1])
    old.Reload()
    new.Reload()
    scalars = {t: [[s.step, s.value] for s in old.Scalars(t)] for t in old.Tags()["scalars"]}
    steps = {t: [s.step for s in new.Tensors(t)] for t in new.Tags()["tensors"]}
    texts = {t: [s.tensor_proto.string_val[0].decode() for s in old.Tensors(t)] for t in old.Tags()["tensors"]
             if not t.startswith("_hparams_")}
    images = [[i.width, i.height, *struct.unpack(">II", i.encoded_image_string[16:24])]
              for t in old.Tags()["images"] for i in old.Images(t)]
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
    def session(name):
        tag = "_hparams_/session_" + name
        if tag not in new.PluginTagToContent("hparams"): return plugin_data_pb2.HParamsPluginData()
        return plugin_data_pb2.HParamsPluginData.FromString(new.PluginTagToContent("hparams")[tag])
    numbers = {k: v.number_value for k, v in session("start_info").session_start_info.hparams.items()
               if v.HasField("number_value")}
    ended = session("end_info").session_end_info.status == api_pb2.STATUS_SUCCESS
    steps = {t: s for t, s in steps.items() if not t.startswith("_hparams_")}
    print(json.dumps({"numbers": numbers, "isEnded": ended, "scalars": scalars, "steps": steps, "texts": texts, "images": images}))
    """

  private func read(_ directory: String) throws -> Contents {
    let program = try #require(PythonTensorBoard.program)
    return try JSONDecoder().decode(
      Contents.self, from: try PythonTensorBoard.run(program, ["-c", Self.script, directory]))
  }

  private func writer(_ directory: RunDirectory) -> (TestPredictions) -> TensorBoardWriter {
    { predictions in
      TensorBoardWriter(directory: directory.path, predictions: predictions) { Issue.record("\($0)") }
    }
  }

  private func losses(_ events: [TrainingEvent]) -> [[Double]] {
    var losses: [[Double]] = []
    for case .step(let report) in events {
      losses.append([Double(losses.count + 1), Double(Float(report.loss))])
    }
    return losses
  }

  @Test func aRun() throws {
    let scratch = try ScratchDirectory()
    let directory = try RunDirectory.create(scratch.path + "/run")
    let told = try TinyRun.train(into: directory, writer: writer(directory))
    let contents = try read(directory.path)
    #expect(contents.scalars["train/loss"] == losses(told))
    #expect(
      contents.scalars.keys.sorted() == [
        "epoch/train_accuracy", "epoch/train_loss", "test/loss", "test/top1", "test/top5",
        "train/images_per_second", "train/learning_rate", "train/loss",
      ])
    #expect(contents.steps["test/top1"] == [5, 10, 15])
    #expect(contents.steps["predictions/images"] == [5, 10, 15])
    #expect(contents.texts["predictions/table"]?.count == 3)
    #expect(contents.texts["run/configuration"]?.first?.contains("\"batchSize\" : 6") == true)
    // 4 by 2 images of 6×6, eleven times as large, with two lines of text below.
    #expect(contents.images == Array(repeating: [336, 224, 336, 224], count: 3))
    #expect(contents.numbers["batchSize"] == 6 && contents.numbers["epochs"] == 3 && contents.isEnded)
  }

  /// Killed in step 9 with a record half written, resumed from the state after step 6, killed in step 12, resumed
  /// from the state after the second epoch: what is shown is the run that was never interrupted.
  @Test func stepsThatAreRepeatedAreShownOnce() throws {
    let scratch = try ScratchDirectory()
    let whole = try RunDirectory.create(scratch.path + "/whole")
    let told = try TinyRun.train(into: whole, writer: writer(whole))

    let parts = try RunDirectory.create(scratch.path + "/parts")
    try TinyRun.train(into: parts, killedAfter: 9, writer: writer(parts))
    let first = try #require(try EventReader.files(in: parts.path).first)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: first))
    try bytes.dropLast(11).write(to: URL(fileURLWithPath: first))
    #expect(throws: EventReader.Damage.self) { try EventReader.events(ofFile: first) }
    try TinyRun.train(into: parts, resuming: true, killedAfter: 6, writer: writer(parts))
    try TinyRun.train(into: parts, resuming: true, writer: writer(parts))

    let files = try EventReader.files(in: parts.path)
    #expect(files.count == 3)
    let starts = try files.dropFirst().map { try EventReader.events(ofFile: $0)[1] }
    #expect(starts.map(\.sessionLog.status) == [.start, .start] && starts.map(\.step) == [7, 11])

    let contents = try read(parts.path)
    #expect(contents.scalars["train/loss"] == losses(told))
    #expect(contents.steps["train/loss"] == Array(1...15))
    #expect(contents.steps["test/loss"] == [5, 10, 15])
    #expect(contents.steps["predictions/table"] == [5, 10, 15])
    #expect(try read(whole.path).scalars["test/loss"] == contents.scalars["test/loss"])
  }
}
