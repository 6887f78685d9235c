import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport

/// A size of the training images, and the epoch from which on they have it.
public struct ImageSizeStage: Codable, Equatable, Sendable {
  /// Height and width.
  public var size: Int
  /// The first such epoch, from 0.
  public var from: Int

  /// As given.
  public init(size: Int, from: Int) {
    self.size = size
    self.from = from
  }
}

/// Sizes of the training images over the epochs, as people write them: `128:0-10,160:10-16`.
public struct ImageSizePlan: Equatable, Sendable {
  /// At least one; the first begins with epoch 0.
  public let stages: [ImageSizeStage]
  /// Epochs that were spoken of; `nil` where the last size goes on to the run's end.
  public let epochs: Int?

  /// That of the last epoch, of evaluations and of the network that the run leaves.
  public var last: Int { stages.last?.size ?? 0 }
  /// The largest one.
  public var largest: Int { stages.map(\.size).max() ?? 0 }

  /// One size for all epochs.
  public init(size: Int) { self.init([ImageSizeStage(size: size, from: 0)], epochs: nil) }

  /// Those of a run's settings.
  public init(stages: [ImageSizeStage]) { self.init(stages, epochs: nil) }

  private init(_ stages: [ImageSizeStage], epochs: Int?) { (self.stages, self.epochs) = (stages, epochs) }

  /// Reads `224`, or sizes with their epochs, counted from 0 without the last number: `128:0-10,160:10-16`. The last end
  /// may be left out: `160:10-`.
  /// - Throws: `OctNetError.configuration` for what is no such plan, for epochs with two sizes, and for some without one.
  public init(_ text: String) throws(OctNetError) {
    if let size = Int(text) {
      try Self.check(size)
      self.init(size: size)
      return
    }
    var stages: [ImageSizeStage] = [], end: Int? = 0
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", omittingEmptySubsequences: false)
      let ends = words.last?.split(separator: "-", omittingEmptySubsequences: false) ?? []
      guard words.count == 2, ends.count == 2, let size = Int(words[0]), let from = Int(ends[0]),
        ends[1].isEmpty || Int(ends[1]) != nil
      else {
        throw Self.error(
          "expected a size, or sizes with epochs such as 128:0-10,160:10-16, found \"\(text)\"")
      }
      try Self.check(size)
      guard let start = end else {
        throw Self.error("\(size) begins at epoch \(from), but the size in front of it has no last epoch")
      }
      guard from >= start else {
        throw Self.error("epoch \(from) has two sizes in \(text): \(stages.last?.size ?? 0) and \(size)")
      }
      guard from == start else {
        let missing = from == start + 1 ? "epoch \(start) has" : "epochs \(start) to \(from - 1) have"
        throw Self.error("\(missing) no size in \(text)")
      }
      end = Int(ends[1])
      if let end, end <= from {
        throw Self.error("found \(part), expected epochs of which the second number is the larger")
      }
      stages.append(ImageSizeStage(size: size, from: from))
    }
    self.init(stages, epochs: end)
  }

  /// - Throws: `OctNetError.configuration` where the run has other epochs than the plan.
  public func check(epochs: Int) throws(OctNetError) {
    guard let own = self.epochs, own != epochs else { return }
    throw Self.error(
      "the sizes are for \(numbered(own, "epoch")), the run has \(epochs); leave the last number out for the rest of a "
        + "run")
  }

  private static func check(_ size: Int) throws(OctNetError) {
    if let problem = SettingBounds.problem(size, in: SettingBounds.imageSize) { throw error(problem) }
  }

  private static func error(_ problem: String) -> OctNetError {
    .configuration(key: "image size", problem)
  }
}

extension TrainingConfiguration {
  /// - Throws: `OctNetError.configuration` for sizes that are out of bounds or order, or that never come.
  func validateImageSizes() throws(OctNetError) {
    guard let stages = imageSizes else { return }
    func fail(_ problem: String) -> OctNetError { .configuration(key: "imageSizes", problem) }
    for stage in stages { try SettingBounds.check(stage.size, in: SettingBounds.imageSize, "imageSizes") }
    guard let first = stages.first, first.from == 0 else {
      throw fail("expected a size from epoch 0 on, found \(stages.first.map { "\($0.from)" } ?? "none")")
    }
    for (stage, next) in zip(stages, stages.dropFirst()) where next.from <= stage.from {
      throw fail("\(next.size) begins at epoch \(next.from), expected more than \(stage.from)")
    }
    guard let last = stages.last, last.from < epochs else {
      throw fail(
        "the last size begins at epoch \(stages.last?.from ?? 0), expected fewer than the run's \(epochs)")
    }
    guard let model else {
      throw fail("belongs to networks that are known by name, which can be built for another size")
    }
    guard model.inputHeight == last.size, model.inputWidth == last.size else {
      throw fail(
        "the last size is \(last.size), expected that of the network, \(model.inputHeight)×\(model.inputWidth)"
      )
    }
  }
}

/// What a run trains with from an epoch on: images of a size, and the network's graph for it.
struct TrainingStage {
  let from: Int
  let graph: Graph
  let images: any Dataset

  /// One for all epochs, or those of the settings.
  ///
  /// - Parameter images: as they were loaded, for the largest size.
  /// - Throws: `OctNetError.configuration` where the network cannot be built for a size, or would have other parameters.
  static func all(
    _ network: Network, _ images: any Dataset, _ configuration: TrainingConfiguration
  ) throws(OctNetError) -> [TrainingStage] {
    guard let sizes = configuration.imageSizes, let model = configuration.model else {
      return [TrainingStage(from: 0, graph: network.graph, images: images)]
    }
    var stages: [TrainingStage] = []
    for size in sizes {
      let images = try images.scaled(to: size.size)
      var graph = network.graph
      if size.size != model.inputHeight {
        var other = model
        (other.inputHeight, other.inputWidth) = (size.size, size.size)
        do { graph = try other.makeGraph() } catch {
          throw .configuration(
            key: "imageSizes", "\(model.name) cannot have images of \(size.size)×\(size.size): \(error)")
        }
        guard graph.hasParameters(of: network.graph) else {
          throw .configuration(
            key: "imageSizes",
            "\(model.name) has other parameters for images of \(size.size)×\(size.size) than for "
              + "\(model.inputHeight)×\(model.inputWidth)")
        }
      }
      stages.append(TrainingStage(from: size.from, graph: graph, images: images))
    }
    return stages
  }
}

extension [TrainingStage] {
  /// That of an epoch; behind the last one the last.
  func index(at epoch: Int) -> Int { lastIndex { $0.from <= epoch } ?? 0 }
}

extension Graph {
  /// Whether numbers of the one are numbers of the other, in the same places.
  fileprivate func hasParameters(of other: Graph) -> Bool {
    parameters.elementsEqual(other.parameters) {
      $0.name == $1.name && $0.shape == $1.shape && $0.storedCount == $1.storedCount
    }
      && buffers.elementsEqual(other.buffers) { $0.name == $1.name && $0.count == $1.count }
      && counters == other.counters
  }
}
