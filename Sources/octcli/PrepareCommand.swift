import ArgumentParser
import Foundation
import OctNet

struct PrepareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Write decoded and resized images of a data set into one file, for training without decoding.",
    discussion: """
      The file has the pixels, labels and class names of all parts of the data, with a checksum for each image, and appears \
      when it is complete. It takes size × size × 3 bytes an image and is mapped when it is read, as --data prepared:FILE: \
      images need neither be decoded nor fit into memory, and the trait Images is not needed any more.

      Photographs come to their size as for folder:DIR. For a training with random crops leave more of them: --size \
      256 --crop-ratio 1 keeps the whole shorter side, of which --image-size 224 evaluates what it would of the photograph.

      Examples:
        octcli prepare cifar10:DIR --out cifar10.images
        octcli prepare cifar10:DIR --size 64 --out cifar10-64.images
        octcli prepare synthetic --limit-train 100 --out few.images
        octcli train --data prepared:cifar10.images --augment crop,flip
      """)

  @Argument(help: DataOptions.help(default: nil))
  var source: String

  @Option(help: ArgumentHelp("File to write; an earlier one is replaced at the end.", valueName: "file"))
  var out: String

  @Option(help: DataOptions.imageSizeHelp)
  var size: Int?

  @Option(
    help: ArgumentHelp(
      "Write N training images only, the first ones; where images are sorted by class, those of each (default: all).",
      valueName: "n"))
  var limitTrain: Int?

  @Option(
    help: ArgumentHelp(
      "Write N test images only, the first ones; where images are sorted by class, those of each (default: all).",
      valueName: "n"))
  var limitTest: Int?

  @OptionGroup
  var files: ImageFileOptions

  @OptionGroup
  var crop: CropOptions

  @OptionGroup
  var threadOptions: ThreadOptions

  func validate() throws {
    try Bounds.check("--size", size, SettingBounds.imageSize)
    try Bounds.check("--limit-train", limitTrain, SettingBounds.images)
    try Bounds.check("--limit-test", limitTest, SettingBounds.images)
  }

  func run() throws {
    var reading = ImageReading()
    reading.size = size
    (reading.trainLimit, reading.testLimit) = (limitTrain, limitTest)
    reading.skipsDamaged = files.skipDamaged
    reading.appliesOrientation = files.exifOrientation ?? false
    reading.evaluation = crop.applied(to: EvaluationSettings())
    reading.isEvaluationGiven = !crop.isEmpty
    reading.testShare = files.testShare
    (reading.inMemory, reading.workers) = (files.inMemory, files.workers ?? threadOptions.count)
    var data = try DataOptions.load(source, reading)
    // Those of a folder are limited where they are listed.
    data.train = data.train.first(limitTrain)
    data.test = data.test.first(limitTest)
    if DataOptions.isFiles(source) {
      data.preparation = ImagePreparation(
        evaluation: crop.isEmpty ? nil : reading.evaluation, exifOrientation: reading.appliesOrientation
      )
    }
    let bar = ProgressBar()
    defer { bar.erase() }
    StopSignals.deferFirst()
    var skipped = 0
    try PreparedFile.write(data, source: source, to: out, threads: threadOptions.count) {
      bar.note("left out: \($0)")
      skipped += 1
    } onProgress: { done, total in
      bar.update(label: "preparing", done: done, total: total, fields: ["\(done)/\(total)"])
      guard StopSignals.isRequested else { return }
      bar.note("stopped: \(numbered(done, "image")) of \(total) prepared, nothing is written")
      throw StopSignals.exitCode
    }
    bar.erase()
    let written = try PreparedFile(path: out).data
    try Terminal.print(
      description(of: written) + (skipped > 0 ? ", \(numbered(skipped, "image")) left out" : ""))
  }

  private func description(of data: DataSplit) -> String {
    let parts = [("training", data.train), ("validation", data.validation), ("test", data.test)]
      .compactMap { name, images in images.map { "\(TextTable.grouped($0.count)) \(name)" } }
    let train = data.train
    let list = parts.dropLast().joined(separator: ", ") + " and " + (parts.last ?? "") + " images"
    return "\(out): \(list) of \(train.height)×\(train.width)×\(train.channels), "
      + numbered(train.classNames.count, "class", plural: "classes")
  }
}
