import OctNetCheckpoint
import OctNetData
import OctNetSupport
import OctNetTraining

/// Runs on the same images: only their accuracies compare.
///
/// Settings say where data lies, and folders of one name lie in many places. Where results have other classes
/// or another number of test images, the data was another; data that was moved keeps both.
struct RunDataSet {
  /// What the page calls it.
  private(set) var name: String
  let runs: [RunRecord]
  private let testImages: Int?

  /// In the order in which their first runs were found, as are the runs of each.
  static func sets(of runs: [RunRecord]) -> [RunDataSet] {
    let facts = runs.map(Facts.init(of:))
    var found: [(facts: Facts, members: [Int])] = []
    // Those that say most come first, so that the others find what they may belong to.
    for index in runs.indices.sorted(by: { (-facts[$0].known, $0) < (-facts[$1].known, $1) }) {
      let fitting = found.indices.filter { found[$0].facts.agree(with: facts[index]) }
      let path = runs[index].configuration.data
      let match = fitting.first { found[$0].members.contains { runs[$0].configuration.data == path } }
      if let match = match ?? fitting.first {
        found[match].members.append(index)
        found[match].facts.learn(from: facts[index])
      } else {
        found.append((facts[index], [index]))
      }
    }
    let sorted = found.map { (testImages: $0.facts.testImages, members: $0.members.sorted()) }
      .sorted { $0.members[0] < $1.members[0] }
    return named(
      sorted.map { set in
        RunDataSet(
          name: runs[set.members[0]].dataName(), runs: set.members.map { runs[$0] },
          testImages: set.testImages)
      })
  }

  // MARK: Names

  /// Those that would be called the same get longer names: by as much of the path as tells them apart, else by
  /// the number of test images, else by a number of their own.
  private static func named(_ sets: [RunDataSet]) -> [RunDataSet] {
    var result = sets
    for name in Set(sets.map(\.name)) {
      let alike = sets.indices.filter { sets[$0].name == name }
      guard alike.count > 1 else { continue }
      let depth = alike.map { sets[$0].runs[0].configuration.data.split(separator: "/").count }.max() ?? 1
      var choices = (0...depth).map { more in
        alike.map { sets[$0].runs[0].dataName(components: more + 1) }
      }
      choices.append(
        alike.map { index in
          name + (sets[index].testImages.map { ", " + counted($0, "test image") } ?? "")
        })
      let names =
        choices.first { Set($0).count == alike.count } ?? alike.indices.map { "\(name) (\($0 + 1))" }
      for (index, name) in zip(alike, names) { result[index].name = name }
    }
    return result
  }

  // MARK: What tells data apart

  private struct Facts {
    /// Kind and last component of the path.
    let name: String
    /// `nil` for what no result says.
    var classes: Int?
    /// Sorted, as the order is that of the folders where a run began.
    var classNames: [String]?
    var testImages: Int?

    init(of run: RunRecord) {
      name = run.dataName()
      classes = run.classNames?.count
      // Where files of names are missing, classes are numbered, and the names tell nothing.
      if let names = run.classNames, names != names.indices.map({ "\($0)" }) { classNames = names.sorted() }
      testImages = run.bestEvaluation?.images
    }

    /// How much.
    var known: Int { [classes != nil, classNames != nil, testImages != nil].count { $0 } }

    /// Whether both may be of the same images.
    func agree(with other: Facts) -> Bool {
      func fits<Value: Equatable>(_ own: Value?, _ others: Value?) -> Bool {
        own == nil || others == nil || own == others
      }
      return name == other.name && fits(classes, other.classes) && fits(classNames, other.classNames)
        && fits(testImages, other.testImages)
    }

    mutating func learn(from other: Facts) {
      classes = classes ?? other.classes
      classNames = classNames ?? other.classNames
      testImages = testImages ?? other.testImages
    }
  }
}
