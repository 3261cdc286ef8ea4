# frozen_string_literal: true

# Loads a formula without Homebrew, with the few parts of its language that ours uses, for one system and processor, and
# prints what it would download. With a folder of archives it also installs the archive, and runs the test of the formula.
#
#   ruby standin.rb FORMULA OS PROCESSOR [ARCHIVES]

require "digest"
require "fileutils"
require "json"
require "open3"
require "pathname"
require "tmpdir"

SYSTEM, PROCESSOR = ARGV[1], ARGV[2]

# Homebrew's additions to Pathname.
class Pathname
  def install(*sources)
    mkpath
    sources.each do |source|
      (source.is_a?(Hash) ? source : { source => File.basename(source) }).each do |from, to|
        FileUtils.cp(from, self/to, preserve: true)
      end
    end
  end
end

class Formula
  class << self
    attr_reader :values, :tested

    def inherited(formula)
      super
      @values = {}
      formula.instance_variable_set(:@values, @values)
      Formula.const_set(:LOADED, formula)
    end

    %i[desc homepage version license url sha256].each do |name|
      define_method(name) do |value|
        raise "#{name} is set twice for #{SYSTEM} #{PROCESSOR}" if @values.key?(name)

        @values[name] = value
      end
    end

    { on_macos: "darwin", on_linux: "linux" }.each { |name, os| define_method(name) { |&block| block.call if SYSTEM == os } }
    { on_arm: "arm64", on_intel: "amd64" }.each { |name, cpu| define_method(name) { |&block| block.call if PROCESSOR == cpu } }

    def test(&block)
      @tested = block
    end
  end

  attr_reader :testpath

  def initialize(prefix, testpath)
    @prefix = prefix
    @testpath = testpath
  end

  def bin
    @prefix/"bin"
  end

  def man1
    @prefix/"share/man/man1"
  end

  def pkgshare
    @prefix/"share/step-posture-connector"
  end

  def version
    self.class.values[:version]
  end

  # By default Homebrew asks for these three, and adds the name of the shell to the arguments.
  def generate_completions_from_executable(*command)
    %w[bash zsh fish].each do |shell|
      script = shell_output([*command, shell].join(" "))
      raise "the completion script for #{shell} does not name the program" unless script.include?(command[0].basename.to_s)

      (@prefix/"completions").mkpath
      (@prefix/"completions"/shell).write(script)
    end
  end

  def shell_output(command, status = 0)
    output, result = Open3.capture2(command)
    raise "#{command} exited with #{result.exitstatus.inspect} and not with #{status}: #{output}" if result.exitstatus != status

    output
  end

  def assert_path_exists(path)
    raise "#{path} does not exist" unless path.exist?
  end

  def assert_match(want, got)
    raise "#{want.inspect} is not in #{got.inspect}" unless got.match?(want.is_a?(String) ? Regexp.escape(want) : want)
  end
end

load File.expand_path(ARGV[0])
formula = Formula::LOADED
missing = %i[desc homepage version license url sha256] - formula.values.keys
raise "the formula has no #{missing.join(", ")}" unless missing.empty?

if ARGV[3]
  archive = Pathname(ARGV[3]).expand_path/File.basename(formula.values[:url])
  raise "the digest of #{archive.basename} is another one" if Digest::SHA256.file(archive).hexdigest != formula.values[:sha256]

  Dir.mktmpdir do |folder|
    root = Pathname(folder)
    %w[source prefix test].each { |name| (root/name).mkdir }
    raise "#{archive.basename} cannot be unpacked" unless system("tar", "-xzf", archive.to_s, "-C", (root/"source").to_s)

    # Homebrew enters the one folder of an archive.
    source = (root/"source").children
    raise "#{archive.basename} has not one folder, but #{source.map(&:basename)}" if source.length != 1

    built = formula.new(root/"prefix", root/"test")
    Dir.chdir(source[0]) { built.install }
    Dir.chdir(root/"test") { built.instance_eval(&formula.tested) }
  end
end
puts JSON.generate(formula.values)
